#!/usr/bin/env bats
# `pawl report` and `pawl trace`: the page as a parser and as a browser see it, the trace as its viewers read it.
# shellcheck disable=SC2154,SC2016 # bats sets status and output; `x` in single quotes is text

load helpers

page() {
	python3 "$BATS_TEST_DIRNAME/check_page.py" "$1" >found
}

# A run in which a node ran, one is reused, one changed, one fails with hostile output, one is skipped.
two_runs() {
	workflow mixed <<-'YAML'
		name: mixed
		description: a bit of everything
		nodes:
		  - id: steady
		    bash: echo steady; printf '\033[32mgreen\033[0m \033]0;title\007\n'
		    reads: []
		  - id: edited
		    env: {LEVEL: low}
		    bash: |
		      echo first
		      echo second
		    reads: []
		  - id: bad
		    depends_on: [steady, edited]
		    bash: echo '</pre><script>document.title="owned"</script>" onload="x' >&2; exit 3
		  - id: after
		    depends_on: [bad]
		    bash: echo after
	YAML
	pawl run mixed >/dev/null || true
	sed -i 's/low/high/; s/echo second/echo third/' .pawl/workflows/mixed.yaml
	pawl run mixed >/dev/null || true
}

browser() {
	local name
	for name in chromium chromium-browser google-chrome; do
		command -v "$name" && return 0
	done
	return 1
}

# look PAGE: the page's elements after its script has run.
look() {
	timeout 900 "$(browser)" --headless --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/profile" \
		--window-size=1280,1000 --virtual-time-budget=2000 --dump-dom "file://$PWD/$1" 2>/dev/null
}

@test "the page has every node, its state, its reason, what changed and what it printed" {
	two_runs
	ok pawl report -o page.html
	equal "$output" "wrote page.html"
	page page.html
	grep -q '^h1: mixed' found
	grep -q '^span.pill failed: failed' found
	grep -q '^details#n0.reused: .*steady .*from run 1' found
	grep -q '^details#n1.completed: .*edited' found
	grep -q '^tr.skipped: .*after .*bad failed' found
	grep -q '^span.gone: - echo second' found
	grep -q '^span.new: + echo third' found
	grep -q '^table.changes: .*env/LEVEL low → high' found
	grep -q '^section.failure: Failed first: bad' found
	grep -q 'pawl resume 2' page.html
	# In the graph: four boxes, three edges, the hover of the edited one with the difference of its key.
	equal "$(grep -c '<a href="#n[0-9]*" class="box' page.html)" 4
	equal "$(grep -c '<path class="edge' page.html)" 3
	grep -q '^a.box completed: edited: completed .*env/LEVEL: .*low.* → .*high' found
}

@test "what nodes print can't leave its place in the page" {
	two_runs
	ok pawl report 2 -o page.html
	page page.html
	grep -q '&lt;script&gt;document.title=&quot;owned&quot;&lt;/script&gt;' page.html
	equal "$(grep -c '<script' page.html)" 1
	# Colours are left out, every other control sequence is made visible.
	grep -q 'green ^\]0;title^G' <(grep -A9 '>stdout' page.html) || grep -q 'green ^\[\]0;title^G' page.html
	grep -q "Content-Security-Policy\" content=\"default-src 'none'" page.html
}

@test "a page of a run whose workflow file is gone, of a run that was killed, of nothing" {
	exits 2 pawl report
	says "nothing has run yet"
	two_runs
	rm .pawl/workflows/mixed.yaml
	ok pawl report 1 -o - 
	printf '%s\n' "$output" >page.html
	page page.html
	equal "$(grep -c '<path class="edge' page.html)" 3
	exits 2 pawl report 9
	says "there is no run 9"
	exits 4 pawl report 1 -o no/such/dir.html
	says "E-FS-WRITE"
	ok pawl report 1
	test -s run-1.html
}

@test "items of a fan_out and the body of a loop_group stand between what is before and after them" {
	workflow each <<-'YAML'
		name: each
		description: three items, then a loop
		nodes:
		  - id: list
		    bash: echo '["a", "b", "c"]'
		  - id: size
		    depends_on: [list]
		    fan_out: {items: $list.output, as: word}
		    bash: printf '%s' $INPUTS.word
		  - id: count
		    depends_on: [size]
		    loop_group:
		      max_iterations: 3
		      until: xx
		      nodes:
		        - id: more
		          bash: echo "x$LOOP_PREV.more.output"
	YAML
	ok pawl run each
	ok pawl report -o page.html
	page page.html
	equal "$(grep -c '<a href="#n[0-9]*" class="box' page.html)" 7
	# list to 3 items, 3 items to size, size to more, more to count.
	equal "$(grep -c '<path class="edge' page.html)" 8
}

@test "the trace has an event for each node that ran, on lanes where none overlap" {
	two_runs
	ok pawl trace 2
	printf '%s\n' "$output" >trace.json
	python3 - <<-'PY'
		import json
		events = json.load(open("trace.json"))["traceEvents"]
		ran = [e for e in events if e["ph"] == "X"]
		assert {e["name"] for e in ran} == {"edited", "bad"}, ran
		assert {e["name"] for e in events if e["ph"] == "i"} == {"steady", "after"}
		for a in ran:
		    assert a["dur"] >= 0 and a["args"]["tries"] == 1
		    for b in ran:
		        if a is not b and a["tid"] == b["tid"]:
		            assert a["ts"] + a["dur"] <= b["ts"] or b["ts"] + b["dur"] <= a["ts"], (a, b)
	PY
}

@test "in a browser: its own script runs under its policy, and no other" {
	browser || skip "no chromium here: the page was not opened in a browser"
	two_runs
	ok pawl report -o page.html
	look page.html >dom
	grep -q '<title>run 2 of mixed</title>' dom
	grep -q '<button[^>]*id="theme"[^>]*>' dom
	grep '<button[^>]*id="theme"' dom | grep -qv hidden
	grep -q 'aria-label="edited: completed' dom
	# With one more script in it, which its policy forbids, that one does not run.
	sed 's|</body>|<script>document.title = "owned"</script></body>|' page.html >owned.html
	look owned.html | grep -q '<title>run 2 of mixed</title>'
}

@test "in a browser: clicks open, filter, sort and switch; hovers tell" {
	browser || skip "no chromium here: the page was not clicked through"
	two_runs
	ok pawl report -o page.html
	cat >clicks.js <<-'JS'
		const said = [];
		const say = (name, value) => said.push(name + "=" + value);
		const one = (selector) => document.querySelector(selector);
		const click = (element) => element.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
		const rows = () => [...document.querySelectorAll("#nodes tbody tr")].filter((row) => !row.hidden)
			.map((row) => row.children[1].textContent).join(",");
		say("closed", one("#n1").open);
		click(one(".graph [data-node='1']"));
		say("opened", one("#n1").open);
		one(".graph [data-node='1']").dispatchEvent(new MouseEvent("mouseenter"));
		say("tip", !one("#tip").hidden && one("#tip").textContent.startsWith("edited: completed"));
		say("near", document.querySelectorAll(".graph .box.near").length);
		one(".graph [data-node='1']").dispatchEvent(new MouseEvent("mouseleave"));
		say("gone", one("#tip").hidden);
		click(one(".count[data-state='failed']"));
		say("failed", rows());
		click(one(".count[data-state='failed']"));
		one("#filter").value = "stead";
		one("#filter").dispatchEvent(new Event("input"));
		say("filtered", rows());
		one("#filter").value = "";
		one("#filter").dispatchEvent(new Event("input"));
		click(document.querySelectorAll("#nodes th")[1]);
		say("sorted", rows());
		click(document.querySelectorAll("#nodes th")[1]);
		say("back", rows());
		const before = getComputedStyle(document.body).backgroundColor;
		click(one("#theme"));
		say("theme", getComputedStyle(document.body).backgroundColor !== before);
		document.title = said.join(" ");
	JS
	python3 - <<-'PY'
		import re
		page = open("page.html").read()
		page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
		open("clicks.html", "w").write(page.replace("</body>", "<script>" + open("clicks.js").read() + "</script></body>"))
	PY
	equal "$(look clicks.html | sed -n 's|.*<title>\(.*\)</title>.*|\1|p')" \
		"closed=false opened=true tip=true near=3 gone=true failed=bad filtered=steady sorted=after,bad,edited,steady back=steady,edited,bad,after theme=true"
}

# shellcheck shell=bash
# Which plugin files may run: those of the user and the system by owner and mode, those of a project by digest, once somebody
# has said so.  Each refusal says why, and what to do.
load helpers

setup() {
	pawl_setup
	PLUGINS=$(realpath "$(dirname "$PAWL")/../tests/plugins")
	[ -e "$PLUGINS/pawl_good.so" ] || skip "the test plugins are not built"
	umask 022
	chmod 755 "$HOME" "$PROJECT" "$PROJECT/.pawl"
	mkdir -p .pawl/plugins
	cp "$PLUGINS/pawl_good.so" .pawl/plugins/
	FILE=$PROJECT/.pawl/plugins/pawl_good.so
	LIST=$HOME/.config/pawl/trusted-plugins
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    good: x
	EOF
}

@test "a plugin of the project is refused until it is trusted, and again when it is not" {
	exits 2 pawl run w
	says "E-PLUGIN-UNTRUSTED"
	says "$FILE"
	says "pawl plugin trust $FILE"
	ok pawl types
	says "which you have not trusted"
	ok pawl plugin trust .pawl/plugins/pawl_good.so
	says "trusted  $FILE"
	ok pawl run w
	ok pawl plugin trust "$FILE"
	says "trusted already"
	ok pawl plugin untrust "$FILE"
	exits 2 pawl run w
	says "E-PLUGIN-UNTRUSTED"
	exits 2 pawl plugin untrust "$FILE"
	says "is not trusted"
}

@test "the list is in the format of sha256sum, and nobody else reads or writes it" {
	ok pawl plugin trust "$FILE"
	equal "$(cat "$LIST")" "$(sha256sum "$FILE")"
	equal "$(stat -c %a "$LIST")" 600
	ok sha256sum -c "$LIST"
	equal "$(stat -c %a "$HOME/.config/pawl")" 700
	chmod 622 "$LIST"
	exits 2 pawl run w
	says "$LIST"
	says "chmod 600 $LIST"
	chmod 600 "$LIST"
	ok pawl run w
}

@test "trust is in the content: a changed file is refused, the same one elsewhere is not" {
	ok pawl plugin trust "$FILE"
	printf x >>"$FILE"
	exits 2 pawl run w
	says "E-PLUGIN-UNTRUSTED"
	ok pawl plugin list
	says "changed since"
	cp "$PLUGINS/pawl_good.so" "$FILE"
	ok pawl run w
	mkdir -p ../other/.pawl/plugins && cp "$FILE" ../other/.pawl/plugins/ && cp -r .pawl/workflows ../other/.pawl/
	(cd ../other && ok pawl run w)
	# By digest it is taken back as well, and by a path whose file is gone.
	ok pawl plugin untrust "$(sha256sum "$FILE" | cut -c1-64)"
	ok pawl plugin trust "$FILE"
	rm "$FILE"
	ok pawl plugin list
	says "gone"
	ok pawl plugin untrust "$FILE"
	[ ! -s "$LIST" ]
}

@test "a new content of a file replaces the old one in the list" {
	ok pawl plugin trust "$FILE"
	cp "$PLUGINS/pawl_better.so" "$FILE"
	ok pawl plugin trust "$FILE"
	equal "$(cat "$LIST")" "$(sha256sum "$FILE")"
}

@test "everybody's directories and files are refused, with the command that mends it" {
	ok pawl plugin trust "$FILE"
	chmod 777 .pawl/plugins
	exits 2 pawl run w
	says "can be written by everybody (mode 0777)"
	says "chmod o-w $PROJECT/.pawl/plugins"
	chmod 755 .pawl/plugins
	chmod 666 "$FILE"
	exits 2 pawl run w
	says "chmod o-w $FILE"
	ok pawl plugin list
	says "refused: the plugin $FILE can be written by everybody"
	chmod 644 "$FILE"
	ok pawl run w
}

@test "a stranger's plugin is refused by its owner" {
	[ "$(id -u)" -eq 0 ] || skip "only root can give files away"
	mkdir "$HOME/there" && cp "$FILE" "$HOME/there/" && rm "$FILE"
	chown 12345 "$HOME/there/pawl_good.so"
	exits 2 pawl run w --plugin-path "$HOME/there"
	says "belongs to user 12345"
	says "chown it to root or to yourself"
}

@test "what is no plugin can't be trusted" {
	echo text >text.so
	exits 2 pawl plugin trust text.so
	says "is no shared object"
	exits 2 pawl plugin trust nowhere.so
	says "nowhere.so"
	exits 2 pawl plugin trust
	says "pawl plugin list"
	[ ! -e "$LIST" ]
}

@test "list says what there is, where, and what is hidden; also as JSON" {
	mkdir "$HOME/there" && cp "$FILE" "$HOME/there/"
	ok pawl plugin list --plugin-path "$HOME/there"
	says "$HOME/there/pawl_good.so"
	says "hidden by $HOME/there/pawl_good.so"
	ok pawl plugin trust "$FILE"
	ok pawl plugin list --json --plugin-path "$HOME/there"
	equal "$(jq -r 'select(.object == "trusted_plugin") | .state' <<<"$output")" "as trusted"
	equal "$(jq -r 'select(.keyword == "good") | .refused // "ok"' <<<"$output" | head -1)" "ok"
}

@test "looking at a project runs nothing of it" {
	# This one crashes as soon as it is initialised.
	cp "$PLUGINS/pawl_init_crashes.so" .pawl/plugins/
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    init_crashes: x
	EOF
	exits 2 pawl lint w
	says "E-PLUGIN-UNTRUSTED"
	ok pawl types
	ok pawl plugin list
}

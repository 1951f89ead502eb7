"use strict";
/* The page is whole without this: it opens what is clicked, shows hovers at once, filters, sorts, and switches the theme. */
(() => {
	const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
	const root = document.documentElement;

	/* ---- light and dark ---- */
	const theme = document.getElementById("theme");
	const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
	theme.hidden = false;
	theme.addEventListener("click", () => {
		root.dataset.theme = isDark() ? "light" : "dark";
	});

	/* ---- a click on a node opens it ---- */
	const open = (id) => {
		const details = document.getElementById(id);
		if (details && details.tagName === "DETAILS")
			details.open = true;
	};
	document.addEventListener("click", (event) => {
		const link = event.target.closest("[data-node]");
		if (link)
			open("n" + link.dataset.node);
	});
	addEventListener("hashchange", () => open(location.hash.slice(1)));
	open(location.hash.slice(1));

	/* ---- hovers in the graph, and what hangs together with a node ---- */
	const tip = document.getElementById("tip");
	const graph = document.querySelector(".graph");
	const near = (edges, from, to, start) => {
		const found = new Set([start]);
		const todo = [start];
		while (todo.length) {
			const at = todo.pop();
			for (const edge of edges) {
				if (edge.dataset[from] === at && !found.has(edge.dataset[to])) {
					found.add(edge.dataset[to]);
					todo.push(edge.dataset[to]);
				}
			}
		}
		return found;
	};
	const look = (node) => {
		const edges = all(".edge", graph);
		const above = near(edges, "to", "from", node);
		const below = near(edges, "from", "to", node);
		for (const box of all(".box", graph))
			box.classList.toggle("near", above.has(box.dataset.node) || below.has(box.dataset.node));
		for (const edge of edges) {
			const { from, to } = edge.dataset;
			edge.classList.toggle("near", (above.has(from) && above.has(to)) || (below.has(from) && below.has(to)));
		}
		graph.classList.add("looking");
	};
	const place = (event) => {
		const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
		const below = event.clientY + 18;
		tip.style.left = Math.max(8, x) + "px";
		tip.style.top = (below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below) + "px";
	};
	for (const box of all(".box", graph)) {
		const title = box.querySelector("title");
		const text = title.textContent;
		box.setAttribute("aria-label", text);
		title.remove();
		box.addEventListener("mouseenter", (event) => {
			tip.textContent = text;
			tip.hidden = false;
			place(event);
			look(box.dataset.node);
		});
		box.addEventListener("mousemove", place);
		box.addEventListener("mouseleave", () => {
			tip.hidden = true;
			graph.classList.remove("looking");
		});
	}

	/* ---- filters ---- */
	const filter = document.getElementById("filter");
	const states = new Set();
	filter.hidden = false;
	const apply = () => {
		const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
		for (const item of all("#nodes tbody tr, #details > details")) {
			const head = (item.querySelector("summary") || item).textContent.toLowerCase();
			item.hidden = (states.size > 0 && !states.has(item.dataset.state)) || !words.every((word) => head.includes(word));
		}
	};
	filter.addEventListener("input", apply);
	for (const button of all(".count")) {
		button.setAttribute("aria-pressed", "false");
		button.addEventListener("click", () => {
			const { state } = button.dataset;
			if (!states.delete(state))
				states.add(state);
			button.setAttribute("aria-pressed", String(states.has(state)));
			apply();
		});
	}

	/* ---- sorting ---- */
	const body = document.querySelector("#nodes tbody");
	all("#nodes th").forEach((head, column) => {
		const value = (row) => {
			const cell = row.children[column];
			return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
		};
		head.classList.add("sorts");
		head.addEventListener("click", () => {
			const down = head.getAttribute("aria-sort") === "ascending";
			all("#nodes th").forEach((other) => other.removeAttribute("aria-sort"));
			head.setAttribute("aria-sort", down ? "descending" : "ascending");
			const rows = all("tr", body).sort((a, b) => {
				const [x, y] = [value(a), value(b)];
				return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
			});
			body.append(...rows);
		});
	});
})();

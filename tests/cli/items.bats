#!/usr/bin/env bats
# Slots of a fan_out are known by what their items are.

load helpers

fan() {
	workflow fan <<YAML
name: fan
nodes:
  - id: list
    reads: [list.json]
    bash: cat list.json
  - id: each
    depends_on: list
    reads: []
    fan_out: {items: \$list.output}
    bash: $1
YAML
}

@test "a new item at the front runs one slot and reuses the rest" {
	fan 'echo "<$INPUTS.item>"'
	echo '["a", "b"]' >list.json
	ok pawl run fan
	echo '["new", "b", "a"]' >list.json
	ok pawl run fan
	[[ $output == *'3 items: 1 ran, 2 reused'* ]]
	ok pawl output last/each
	[ "$output" = '["<new>","<b>","<a>"]' ]
}

@test "a slot that uses the whole list, too, runs again with it" {
	fan 'echo "<$INPUTS.item of $list.output>"'
	echo '["a"]' >list.json
	ok pawl run fan
	echo '["a", "b"]' >list.json
	ok pawl run fan
	[[ $output == *'2 items: 2 ran, 0 reused'* ]]
	ok pawl output last/each
	[ "$output" = '["<a of [\"a\", \"b\"]>","<b of [\"a\", \"b\"]>"]' ]
}

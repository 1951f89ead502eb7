/* bashlex: bodies and what becomes of them: text, slots, words, and refusals with their corrected lines. */
#include "data/bind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Every name but those that begin with "no" is a node. */
static bool is_node(void *ctx, str name)
{
	(void)ctx;
	return !str_starts(name, STR("no"));
}

static const struct bind_names names = {NULL, is_node};

static bool bind(const char *body, struct bind_result *result, struct diags *diags)
{
	return bind_find(STR("bash"))
	        ->bind(str_of(body), &names, (struct place){"w.yaml", 10, 5, 0}, result, diags);
}

/* V is ${PAWL_REF_1}, Q the same in double quotes. */
static void add_expected(struct buf *out, const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p == 'V')
			buf_add_z(out, "${PAWL_REF_1}");
		else if (*p == 'Q')
			buf_add_z(out, "\"${PAWL_REF_1}\"");
		else
			buf_add_char(out, *p);
	}
	buf_cstr(out);
}

static void binds_by_context(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"echo $n.output", "echo Q"},
		{"echo ${n.output}", "echo Q"},
		{"echo a$n.output-b", "echo aQ-b"},
		{"echo \"$n.output\"", "echo \"V\""},
		{"echo \"a $n.output. b\"", "echo \"a V. b\""},
		{"echo ${n.output}.txt", "echo Q.txt"},
		{"x=$n.output", "x=Q"},
		{"x+=$n.output y=$n.output cmd", "x+=Q y=Q cmd"},
		{"a=($n.output b [2]=$n.output)", "a=(Q b [2]=Q)"},
		{"a=(\n# '$n.output\n$n.output\n)", "a=(\n# '$n.output\nQ\n)"},
		{"cat <<< $n.output", "cat <<< Q"},
		{"cat < $n.output > $n.output", "cat < Q > Q"},
		{"cat <<E\n$n.output\nE", "cat <<E\nV\nE"},
		{"cat <<-E\n\t\"$n.output\"\n\tE\necho $n.output",
			"cat <<-E\n\t\"V\"\n\tE\necho Q"},
		{"cat <<E; echo $n.output\n$(echo $n.output)\nE", "cat <<E; echo Q\n$(echo Q)\nE"},
		{"cat <<A <<B\n$n.output\nA\n$n.output\nB\necho $n.output",
			"cat <<A <<B\nV\nA\nV\nB\necho Q"},
		{"cat <<E\n\\$n.output \\\\$n.output\nE", "cat <<E\n\\$n.output \\\\V\nE"},
		{"cat <<E\na\\\nE\n$n.output\nE\n", "cat <<E\na\\\nE\nV\nE\n"},
		{"cat <<\\E\n`$x'\nE\necho $n.output", "cat <<\\E\n`$x'\nE\necho Q"},
		{"cat <<$(x)\n$n.output\n$(x)\n", "cat <<$(x)\nV\n$(x)\n"},
		{"x=$(cat <<E\n$n.output\nE\n)", "x=$(cat <<E\nV\nE\n)"},
		{"x=$(cat <<E\n$n.output\nE)", "x=$(cat <<E\nV\nE)"},
		{"(cat <<E) ; echo $n.output\n$n.output\nE\n", "(cat <<E) ; echo Q\nV\nE\n"},
		{"echo ${x:-$n.output}", "echo ${x:-Q}"},
		{"echo \"${x:-$n.output}\"", "echo \"${x:-V}\""},
		{"echo \"${x:-\"$n.output\"}\"", "echo \"${x:-\"V\"}\""},
		{"echo \"${x:-'$n.output'}\"", "echo \"${x:-'V'}\""},
		{"echo \"${x:-'}'}$n.output\"", "echo \"${x:-'}'}V\""},
		{"echo \"${x#$n.output}${x/$n.output/$n.output}\"", "echo \"${x#Q}${x/Q/Q}\""},
		{"echo ${x##*/$n.output}", "echo ${x##*/Q}"},
		{": ${x:=$n.output} ${x?$n.output}", ": ${x:=Q} ${x?Q}"},
		{"echo ${x: -1} ${#x} ${x[0]} ${x[@]} ${!x} ${x@E} $n.output",
			"echo ${x: -1} ${#x} ${x[0]} ${x[@]} ${!x} ${x@E} Q"},
		{"echo $(a $(b \"$(c $n.output)\"))", "echo $(a $(b \"$(c Q)\"))"},
		{"echo \"$(echo \"$n.output\" $n.output)\"", "echo \"$(echo \"V\" Q)\""},
		{"diff <(echo $n.output) >(cat $n.output)", "diff <(echo Q) >(cat Q)"},
		{"echo $(( $(wc -l < $n.output) + 1 ))", "echo $(( $(wc -l < Q) + 1 ))"},
		{"$((echo $n.output); echo b)", "$((echo Q); echo b)"},
		{"((echo $n.output) ; b)", "((echo Q) ; b)"},
		{"case $n.output in ($n.output|x) echo $n.output;; esac",
			"case Q in (Q|x) echo Q;; esac"},
		{"x=$(case a in b) c ;; (d) e ;; esac; echo $n.output)",
			"x=$(case a in b) c ;; (d) e ;; esac; echo Q)"},
		{"case x in a) case y in b) ;; esac ;; c) echo $n.output ;; esac",
			"case x in a) case y in b) ;; esac ;; c) echo Q ;; esac"},
		{"[[ $n.output == $n.output && -n $n.output ]]", "[[ Q == Q && -n Q ]]"},
		{"[[ a =~ ^(a|b c)$n.output ]]", "[[ a =~ ^(a|b c)Q ]]"},
		{"[[ a == !($n.output|b) ]]", "[[ a == !(Q|b) ]]"},
		{"[ $n.output -eq 1 ]", "[ Q -eq 1 ]"},
		{"for x in $n.output b; do echo $n.output; done", "for x in Q b; do echo Q; done"},
		{"for x\nin $n.output\ndo a\ndone", "for x\nin Q\ndo a\ndone"},
		{"if a $n.output; then b; elif c $n.output; then d; else e $n.output; fi",
			"if a Q; then b; elif c Q; then d; else e Q; fi"},
		{"f() { echo $n.output; }\nfunction g { echo $n.output; }",
			"f() { echo Q; }\nfunction g { echo Q; }"},
		{"! time -p a $n.output | b $n.output &", "! time -p a Q | b Q &"},
		{"local x=$n.output; declare -r y=$n.output; declare -a z=($n.output)",
			"local x=Q; declare -r y=Q; declare -a z=(Q)"},
		{"export X=$n.output", "export X=Q"},
		{"printf '%s' $n.output", "printf '%s' Q"},
		{"printf -v x %s $n.output", "printf -v x %s Q"},
		{"read -p $n.output x", "read -p Q x"},
		{"# $n.output '\necho $n.output # \" $n.output",
			"# $n.output '\necho Q # \" $n.output"},
		{"echo a#$n.output", "echo a#Q"},
		{"echo \\$n.output \"\\$n.output\" \\\\$n.output \"\\\\$n.output\"",
			"echo \\$n.output \"\\$n.output\" \\\\Q \"\\\\V\""},
		{"echo 'it'\\''s' $n.output", "echo 'it'\\''s' Q"},
		{"echo $'it\\'s' $n.output $\"x $n.output\"", "echo $'it\\'s' Q $\"x V\""},
		{"echo {a,$n.output} ~$n.output *$n.output", "echo {a,Q} ~Q *Q"},
		{"exec 3>&1 {fd}<$n.output 2>>$n.output", "exec 3>&1 {fd}<Q 2>>Q"},
		{"echo $node.output '$nothing.output' $ARGUMENTS '$RUN_ID'",
			"echo $node.output '$nothing.output' $ARGUMENTS '$RUN_ID'"},
		{"a \\\n  $n.output \\\n  b", "a \\\n  Q \\\n  b"},
		{"coproc P { a $n.output; }", "coproc P { a Q; }"},
		{"for ((i=0; i<3; i++)); do echo $n.output; done",
			"for ((i=0; i<3; i++)); do echo Q; done"},
		{"awk '{print $1}' $n.output", "awk '{print $1}' Q"},
		{"echo `date` $n.output", "echo `date` Q"},
		{"find . -exec sh -c 'x \"$1\"' sh $n.output \\;",
			"find . -exec sh -c 'x \"$1\"' sh Q \\;"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		struct buf expected = {0};
		add_expected(&expected, cases[i][1]);
		bool ok = bind(cases[i][0], &result, &diags);
		if (!ok || diags.list.len)
			fail_msg("%s\nis refused: %s", cases[i][0], diags.list.ptr[0].message);
		if (!str_eq(buf_str(&result.text), buf_str(&expected)))
			fail_msg("%s\nbecomes %s\nand not %s", cases[i][0], result.text.ptr,
				expected.ptr);
		assert_int_equal(result.slots.len,
			str_eq(buf_str(&result.text), str_of(cases[i][0])) ? 0 : 1);
		buf_finish(&expected);
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void one_slot_for_each_reference(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	assert_true(
		bind("a $n.output $n.state ${n.output} $n.output.x $INPUTS.n $LOOP_PREV.n.output"
		     " $INPUTS.n",
			&result, &diags));
	static const struct {
		enum ref_kind kind;
		const char *path;
		size_t start;
	} slots[] = {
		{REF_OUTPUT, "", 2},
		{REF_STATE, "", 12},
		{REF_OUTPUT, "x", 33},
		{REF_INPUT, "", 45},
		{REF_LOOP_PREV, "", 55},
	};
	assert_int_equal(result.slots.len, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct bind_slot *slot = &result.slots.ptr[i];
		char variable[24];
		snprintf(variable, sizeof(variable), "PAWL_REF_%zu", i + 1);
		assert_string_equal(slot->variable, variable);
		assert_int_equal(slot->as, BIND_TEXT);
		assert_int_equal(slot->ref.kind, slots[i].kind);
		assert_true(str_is(slot->ref.name, "n") && str_is(slot->ref.path, slots[i].path));
		assert_int_equal(slot->ref.start, slots[i].start);
	}
	bind_finish(&result);
	diags_finish(&diags);
}

/* The words, joined by a space; the body goes out of scope nowhere, so the strs may borrow. */
static const char *joined(struct buf *out, const str *list, size_t count)
{
	buf_clear(out);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s%.*s", i ? " " : "", STR_ARG(list[i]));
	return buf_cstr(out);
}

static void lists_files_and_programs(void **state)
{
	(void)state;
	static const char *const cases[][4] = {
		{"python3 gen.py --in=a.json -v", "gen.py a.json", "", "python3"},
		{"./gen.sh 'a b' > out/x.txt 2>> err", "./gen.sh a b", "out/x.txt", "./gen.sh"},
		{"rm -f o; a >> o; b >>log; c &>> all; d >> $ARTIFACTS_DIR/e", "o",
			"$ARTIFACTS_DIR/e o", "rm a b c d"},
		{"jq . < in.json | tee -a copy.json", ". in.json", "copy.json", "jq tee"},
		{"a \"$x/f\" $x *.c f{1,2} ~/r [ab].c $n.output x$(b)", "", "", "a b"},
		{"a $ARTIFACTS_DIR/x \"$ARTIFACTS_DIR/y z\" ${ARTIFACTS_DIR}/w --o=$ARTIFACTS_DIR/v",
			"$ARTIFACTS_DIR/x $ARTIFACTS_DIR/y z $ARTIFACTS_DIR/w $ARTIFACTS_DIR/v", "",
			"a"},
		{"a > \"${ARTIFACTS_DIR}\"/o 2>$ARTIFACTS_DIR", "", "$ARTIFACTS_DIR/o", "a"},
		{"a '$ARTIFACTS_DIR/x' $ARTIFACTS_DIRS/y \\$ARTIFACTS_DIR/z", "", "", "a"},
		{"f() { sed s/a/b/ x; }; f y; if true; then g; fi; [ -f z ] && [[ -e w ]]",
			"s/a/b/ x y z w", "", "sed g"},
		{"A=conf/a.json B= env C=1 prog d; exec other e", "conf/a.json 1 d e", "",
			"env prog other"},
		{"a >&2 2>&1 3<&- &> all >| clob <> rw", "rw", "all clob rw", "a"},
		{"for i in a b; do c; done; case d in e) g;; esac; h=(x y)", "a b x y", "", "c g"},
		{"cat <<E > t\n$(inner q)\nE\nlast", "q", "t", "cat inner last"},
		{"x=`date +%F` y=$(( $(wc -l < n) ))", "+%F n", "", "date wc"},
		{"dd if=a of=b; ! c && d || e & f\ntime g; command -v h", "if=a a of=b b", "",
			"dd c d e f g h"},
		{"", "", "", ""},
	};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bind_result r = {0};
		struct diags diags = {0};
		assert_true(bind(cases[i][0], &r, &diags));
		const char *got = joined(&out, r.words.ptr, r.words.len);
		if (strcmp(got, cases[i][1]) != 0)
			fail_msg("%s\nwords: %s\nnot:   %s", cases[i][0], got, cases[i][1]);
		got = joined(&out, r.writes.ptr, r.writes.len);
		if (strcmp(got, cases[i][2]) != 0)
			fail_msg("%s\nwrites: %s\nnot:    %s", cases[i][0], got, cases[i][2]);
		got = joined(&out, r.commands.ptr, r.commands.len);
		if (strcmp(got, cases[i][3]) != 0)
			fail_msg("%s\ncommands: %s\nnot:      %s", cases[i][0], got, cases[i][3]);
		bind_finish(&r);
		diags_finish(&diags);
	}
	buf_finish(&out);
}

/* The body with the edits that were offered. */
static void apply_fixes(struct buf *out, str body, const struct bind_result *result)
{
	size_t done = 0;
	while (done < body.len) {
		const struct bind_fix *next = NULL;
		for (size_t i = 0; i < result->fixes.len; i++)
			if (result->fixes.ptr[i].start >= done &&
				(!next || result->fixes.ptr[i].start < next->start))
				next = &result->fixes.ptr[i];
		buf_add(out, str_slice(body, done, next ? next->start : body.len));
		if (next)
			buf_add(out, next->text);
		done = next ? next->end : body.len;
	}
	buf_cstr(out);
}

static void refuses_with_place_and_fix(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		const char *code;
		uint32_t line;
		uint32_t col;
		const char *help; /* is part of the help */
		const char
			*fixed; /* the whole body after the edits, or NULL where none is offered */
	} cases[] = {
		{"echo '$n.output'", "E-REF-QUOTED", 10, 11, "write: echo \"$n.output\"",
			"echo \"$n.output\""},
		{"a\n  echo 'x ${n.output.y} z'", "E-REF-QUOTED", 11, 15,
			"write: echo 'x '\"${n.output.y}\"' z'",
			"a\n  echo 'x '\"${n.output.y}\"' z'"},
		{"echo $'$n.output'", "E-REF-QUOTED", 10, 12, "write: echo \"$n.output\"",
			"echo \"$n.output\""},
		{"echo $'a\\'\\t$n.output\\n'", "E-REF-QUOTED", 10, 17,
			"write: ", "echo $'a\\'\\t'\"$n.output\"$'\\n'"},
		{"echo \"${x#'$n.output'}\"", "E-REF-QUOTED", 10, 16,
			"write: ", "echo \"${x#\"$n.output\"}\""},
		{"cat <<'E'\n$n.output\nE", "E-REF-QUOTED", 11, 5, "write: cat <<E   (", NULL},
		{"cat <<-\\E\n\t$n.output\n\tE", "E-REF-QUOTED", 11, 6, "write: cat <<-E   (",
			NULL},
		{"cat <<$n.output\nx\n$n.output", "E-REF-CONTEXT", 10, 11, "copy it first", NULL},
		{"x=`cat $n.output`", "E-REF-CONTEXT", 10, 12, "write: x=$(cat $n.output)",
			"x=$(cat $n.output)"},
		{"x=\"`a \\`b $n.output\\``\"", "E-REF-CONTEXT", 10, 15, "write $(...) instead",
			NULL},
		{"echo $(( $n.output + 1 ))", "E-REF-ARITHMETIC", 10, 14,
			"v=$n.output; [[ $v =~ ^-?(0|[1-9][0-9]*)$ ]] || exit 65\nthen write: echo $(( $v + 1 ))",
			NULL},
		{"echo $[$n.output]", "E-REF-ARITHMETIC", 10, 12, "then write: echo $[$v]", NULL},
		{"(( x > $n.output ))", "E-REF-ARITHMETIC", 10, 12, "then write: (( x > $v ))",
			NULL},
		{"for ((i=$n.output; i; i--)); do a; done", "E-REF-ARITHMETIC", 10, 13, "i=$v;",
			NULL},
		{"echo \"${x:$n.output:2}\"", "E-REF-ARITHMETIC", 10, 15, "${x:$v:2}", NULL},
		{"echo ${x: -1:$n.output}", "E-REF-ARITHMETIC", 10, 18, "${x: -1:$v}", NULL},
		{"echo ${a[$n.output]}", "E-REF-ARITHMETIC", 10, 14, "${a[$v]}", NULL},
		{"echo ${a[\"${x:-$n.output}\"]}", "E-REF-ARITHMETIC", 10, 20, "", NULL},
		{"a[$n.output]=1", "E-REF-ARITHMETIC", 10, 7, "a[$v]=1", NULL},
		{"a=([$n.output]=1)", "E-REF-ARITHMETIC", 10, 9, "a=([$v]=1)", NULL},
		{"[[ $n.output -eq 1 ]]", "E-REF-ARITHMETIC", 10, 8, "write: [ $n.output -eq 1 ]",
			"[ $n.output -eq 1 ]"},
		{"[[ 1 -lt $n.output ]]", "E-REF-ARITHMETIC", 10, 14, "write: [ 1 -lt $n.output ]",
			"[ 1 -lt $n.output ]"},
		{"[[ $x -ge $n.output ]]", "E-REF-ARITHMETIC", 10, 15,
			"then write: [[ $x -ge $v ]]", NULL},
		{"[[ -v $n.output ]]", "E-REF-ARITHMETIC", 10, 11, "", NULL},
		{"echo ${n.output%.txt}", "E-REF-CONTEXT", 10, 10,
			"v=$n.output\nthen write: echo ${v%.txt}", NULL},
		{"echo \"${n.output:-x}\"", "E-REF-CONTEXT", 10, 11, "then write: echo \"${v:-x}\"",
			NULL},
		{"echo ${!$n.output} ", "E-REF-CONTEXT", 10, 13, "", NULL},
		{"echo ${#$n.output}", "E-REF-CONTEXT", 10, 13, "then write: echo ${#v}", NULL},
		{"echo \"${x:-'$(a) $n.output'}\"", "E-REF-CONTEXT", 10, 22, "v=$n.output", NULL},
		{"for $n.output in a; do b; done", "E-REF-CONTEXT", 10, 9, "", NULL},
		{"$n.output --all", "E-REF-COMMAND", 10, 5, "case $n.output in", NULL},
		{"a | \"$n.output\"", "E-REF-COMMAND", 10, 10, "case $n.output in", NULL},
		{"if ./bin/$n.output; then a; fi", "E-REF-COMMAND", 10, 14, "case", NULL},
		{"X=1 exec $n.output", "E-REF-COMMAND", 10, 14, "case", NULL},
		{"x=$(env Y=2 $n.output)", "E-REF-COMMAND", 10, 17, "case", NULL},
		{"printf $n.output", "E-REF-BUILTIN", 10, 12, "write: printf '%s' \"$n.output\"",
			"printf '%s' \"$n.output\""},
		{"printf \"a $n.output\\n\"", "E-REF-BUILTIN", 10, 15,
			"write: printf \"a %s\\n\" \"$n.output\"",
			"printf \"a %s\\n\" \"$n.output\""},
		{"printf -- \"%d $n.output\" 1", "E-REF-BUILTIN", 10, 19, "put %s into the format",
			NULL},
		{"printf -v $n.output x", "E-REF-BUILTIN", 10, 15, "", NULL},
		{"read -r $n.output", "E-REF-BUILTIN", 10, 13, "", NULL},
		{"read -a $n.output", "E-REF-BUILTIN", 10, 13, "", NULL},
		{"mapfile -C $n.output x", "E-REF-BUILTIN", 10, 16, "", NULL},
		{"let x=$n.output", "E-REF-BUILTIN", 10, 11, "", NULL},
		{"unset \"m[$n.output]\"", "E-REF-BUILTIN", 10, 14, "", NULL},
		{"test -v $n.output", "E-REF-BUILTIN", 10, 13, "", NULL},
		{"[ -v \"$n.output\" ]", "E-REF-BUILTIN", 10, 11, "", NULL},
		{"[ $n.output $m.output ]", "E-REF-BUILTIN", 10, 17, "", NULL},
		{"declare -i x=$n.output", "E-REF-BUILTIN", 10, 18, "v=$n.output", NULL},
		{"declare -a x=$n.output", "E-REF-BUILTIN", 10, 18, "v=$n.output", NULL},
		{"declare $n.output", "E-REF-BUILTIN", 10, 13, "v=$n.output", NULL},
		{"local -n x=$n.output", "E-REF-BUILTIN", 10, 16, "v=$n.output", NULL},
		{"x=$n.output; declare -i x", "E-REF-BUILTIN", 10, 7, "not declared with -i", NULL},
		{"x=(); declare x=$n.output", "E-REF-BUILTIN", 10, 21, "v=$n.output", NULL},
		{"PAWL_REF_9=1; echo $n.output", "E-REF-RESERVED", 10, 5, "another name", NULL},
		{"echo \"a\necho $n.output", "E-REF-SYNTAX", 10, 10, "bash -n", NULL},
		{"echo $n.output 'a\n$n.output", "E-REF-SYNTAX", 10, 20, "bash -n", NULL},
		{"x=$(cat <<E)\n$n.output\nE", "E-REF-SYNTAX", 10, 9, "bash -n", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		if (bind(cases[i].body, &result, &diags) || diags.list.len == 0)
			fail_msg("%s\nis accepted", cases[i].body);
		const struct err *err = &diags.list.ptr[0];
		if (diags.list.len != 1 || strcmp(err->code, cases[i].code) != 0 || !err->help ||
			!strstr(err->help, cases[i].help) || err->at.line != cases[i].line ||
			err->at.col != cases[i].col || err->at.len == 0)
			fail_msg("%s\n%zu errors, the first: %s %u:%u %s\nhelp: %s", cases[i].body,
				diags.list.len, err->code, err->at.line, err->at.col, err->message,
				err->help ? err->help : "none");
		assert_string_equal(err->at.file, "w.yaml");
		if ((result.fixes.len != 0) != (cases[i].fixed != NULL))
			fail_msg("%s\nhas %zu edits", cases[i].body, result.fixes.len);
		if (cases[i].fixed) {
			struct buf fixed = {0};
			struct bind_result again = {0};
			apply_fixes(&fixed, str_of(cases[i].body), &result);
			assert_string_equal(fixed.ptr, cases[i].fixed);
			assert_true(bind(fixed.ptr, &again, &diags));
			bind_finish(&again);
			buf_finish(&fixed);
		}
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void warns_where_a_value_becomes_code(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"eval \"x=$n.output\"", "eval"},
		{"trap \"rm $n.output\" EXIT", "trap"},
		{"bash -c \"echo $n.output\"", "bash -c 'CODE WITH \"$1\"' bash \"$n.output\""},
		{"sudo -u x /bin/sh -ec \"echo $n.output\"", "bash -c 'CODE WITH"},
		{"find . -exec bash -c \"$n.output\" \\;", "bash -c 'CODE WITH"},
		{"ssh host \"ls $n.output\"", "printf -v quoted %q \"$n.output\""},
		{"python3 -c \"print('$n.output')\"", "sys.argv"},
		{"node -e \"x($n.output)\"", "process.argv"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		assert_true(bind(cases[i][0], &result, &diags));
		if (diags.list.len != 1 || !diags.list.ptr[0].is_warning)
			fail_msg("%s\nhas no warning", cases[i][0]);
		assert_string_equal(diags.list.ptr[0].code, "E-REF-CODE");
		if (!strstr(diags.list.ptr[0].help, cases[i][1]) &&
			!strstr(diags.list.ptr[0].message, cases[i][1]))
			fail_msg("%s\nhas the help: %s", cases[i][0], diags.list.ptr[0].help);
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void add_times(struct buf *out, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_add_z(out, text);
}

static void nesting_has_a_limit(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"$(a ", ")"}, {"( ", ")"}, {"${x:-", "}"}, {"\"${x:-", "}\""}, {"@(", ")"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		for (size_t depth = 90; depth <= 100000; depth += 99910) {
			struct buf body = {0};
			struct bind_result result = {0};
			struct diags diags = {0};
			buf_add_z(&body, i == 1 ? "" : "a ");
			add_times(&body, pairs[i][0], depth);
			buf_add_z(&body, "echo $n.output");
			add_times(&body, pairs[i][1], depth);
			bool ok = bind(buf_cstr(&body), &result, &diags);
			if (ok != (depth == 90))
				fail_msg("%s %zu deep: %s", pairs[i][0], depth,
					ok ? "accepted" : "refused");
			if (!ok)
				assert_string_equal(diags.list.ptr[0].code, "E-REF-SYNTAX");
			bind_finish(&result);
			diags_finish(&diags);
			buf_finish(&body);
		}
	}
}

static void bodies_without_references_stay_as_they_are(void **state)
{
	(void)state;
	static const char *const bodies[] = {"echo 'unclosed", "echo \"$(", "((", "<<", "<<E",
		"case", "a $no.output `", "${", "${x[", "[[", "x=(", "$'", "f()", "esac ) ;; }",
		"\\", "$(cat <<E)\nE"};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct bind_result result = {0};
		struct diags diags = {0};
		assert_true(bind(bodies[i], &result, &diags));
		assert_int_equal(diags.list.len, 0);
		assert_true(str_is(buf_str(&result.text), bodies[i]));
		bind_finish(&result);
		diags_finish(&diags);
	}
}

static void unbound_languages_name_with(void **state)
{
	(void)state;
	struct bind_result result = {0};
	struct diags diags = {0};
	const struct bind_language *none = bind_find(STR("none"));
	str body = STR("puts \"\\$n.output $no.output $RUN_ID\"\nputs $n.output");
	assert_null(bind_find(STR("cobol")));
	assert_null(none->prelude);
	assert_false(none->bind(body, &names, (struct place){0}, &result, &diags));
	assert_true(str_eq(buf_str(&result.text), body));
	assert_int_equal(diags.list.len, 1);
	assert_string_equal(diags.list.ptr[0].code, "E-REF-LANGUAGE");
	assert_non_null(strstr(diags.list.ptr[0].help, "with:"));
	assert_int_equal(diags.list.ptr[0].at.line, 2);
	assert_int_equal(diags.list.ptr[0].at.col, 6);
	bind_finish(&result);
	diags_finish(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binds_by_context),
		cmocka_unit_test(one_slot_for_each_reference),
		cmocka_unit_test(lists_files_and_programs),
		cmocka_unit_test(refuses_with_place_and_fix),
		cmocka_unit_test(warns_where_a_value_becomes_code),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(bodies_without_references_stay_as_they_are),
		cmocka_unit_test(unbound_languages_name_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

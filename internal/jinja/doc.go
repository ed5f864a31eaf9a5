// Package jinja renders Jinja2 templates in a sandbox. It knows nothing of what
// the templates are for.
//
// # Language
//
// It is that of Jinja2 3.1 as its SandboxedEnvironment has it with the default
// options: the delimiters {% %}, {{ }} and {# #}, no line statements, no
// extensions. Output is the same to the last byte, and what is an error there is
// an error here, with the class of the exception, its message in all but a few
// cases, and the line. In particular:
//
//   - {% for %} with else, if and recursive; {% if %}, {% set %} and its block
//     form with filters, {% with %}, {% macro %}, {% call %}, {% filter %},
//     {% block %} with scoped and required, {% extends %}, {% include %},
//     {% import %}, {% from %}, {% autoescape %}, {% print %}, {% raw %};
//   - "-" and "+" at the ends of tags. The last line end of a source is dropped,
//     and \r\n and \r are \n;
//   - all operators, with Python's arithmetic on ints of any size and on floats,
//     Python's comparison of all kinds, its slices, and strings that are counted
//     in code points;
//   - all 54 filters and 39 tests, and range, dict, lipsum, cycler, joiner and
//     namespace;
//   - the methods of strings, lists, dicts, tuples and numbers;
//   - undefined names and attributes print as nothing, are false and empty, and
//     raise UndefinedError when anything else is done with them.
//
// One filter is not Jinja2's: tojson is json.dumps(v, default=str), that is, not
// escaped for HTML, keys in their order, and without options.
//
// Values are escaped for HTML in templates whose name ends in .html, .htm or
// .xml, and not in others; {% autoescape %} changes that.
//
// What differs from Jinja2:
//
//   - \N{NAME} in strings is a syntax error: the names of characters are not here.
//   - What shows an object of the interpreter ("<generator object …>") shows less:
//     no address and no name.
//   - "is sameas" compares strings and numbers by value.
//   - An imported template runs once in a render, not once in the life of an
//     environment.
//   - Inside a macro and a recursive loop, an include without context writes what
//     it should; Jinja2 prints a generator there.
//
// # Sandbox
//
// A template can reach its variables, what they hold, and templates that its
// [Loader] finds: nothing else. Attributes that begin with "_" and internals of
// functions, generators and classes give an undefined value that raises
// SecurityError when it is used; the fields of str.format and format_map are held
// to the same. Lists and dicts can be changed, as in Jinja2: hence variables must
// not be shared between renders, see [Template.Render].
//
// # Budget
//
// Nothing that a template does is free. Each expression, item and comparison is a
// step; each string and list is counted before it is made; nesting is bounded in
// the source and when rendering. See [Budget] for the limits. What would exceed
// one ends with an [*Error] that has Budget set. The clock is only the last
// resort, so that the same template with the same variables always ends in the
// same way.
//
// # Files
//
// The way of a template through the package: lex cuts it into tokens, parse makes
// the nodes of ast, check finds out which variable each name means (scope) and
// refuses what Jinja2's compiler refuses. The nodes then run themselves: exec for
// statements, eval for expressions, in the frames of render, which write to
// output. Values and everything Python are in package pyvalue.
package jinja

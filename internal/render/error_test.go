package render

import "testing"

// Messages of Python quote the values that they complain about.
func TestMessagesHideValues(t *testing.T) {
	known := vocabulary{`{{ payload.detial.x | int }} {{ 12345 }}`}
	tests := []struct{ message, want string }{
		{"'dict object' has no attribute 'detial'", "'dict object' has no attribute 'detial'"},
		{"'dict object' has no attribute 's3cret'", "'dict object' has no attribute '…'"},
		{"invalid literal for int() with base 10: 's3cret'", "invalid literal for int() with base 10: '…'"},
		{`could not convert string to float: "it's s3cret"`, "could not convert string to float: '…'…'"},
		{`can't do it with s3cret or 'that'`, "can'…'…'"},
		{`can only concatenate str (not "int") to str`, "can only concatenate str (not 'int') to str"},
		{"'<' not supported between instances of 'str' and 'NoneType'", "'<' not supported between instances of 'str' and 'NoneType'"},
		{"list object has no element 77712", "list object has no element …"},
		{"12345 is in the template, 99 is short", "12345 is in the template, 99 is short"},
		{`expected ',' or '}', found 'N'`, `expected ',' or '}', found 'N'`},
		{`duplicate key "s3cret"`, `duplicate key '…'`},
		{`duplicate key "say \"s3cret\""`, `duplicate key '…'…'`},
		{"plain text", "plain text"},
		{"ends in '", "ends in '"},
		{"", ""},
	}
	for _, test := range tests {
		if got := known.scrub(test.message); got != test.want {
			t.Errorf("%s\nbecame %s\nwant   %s", test.message, got, test.want)
		}
	}
}

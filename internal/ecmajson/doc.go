// Package ecmajson reads and writes JSON with the meaning that ECMAScript
// gives it, because the bundles, states and configurations we share were made
// by a JavaScript program and are judged by one.
//
// Where encoding/json would change what a document says, this package does not:
//
//   - Strings may hold lone surrogates (JSON "\ud800"). They are kept in WTF-8,
//     the generalisation of UTF-8 that encodes them as three bytes, so that byte
//     equality of two Go strings is equality of two ECMAScript strings.
//   - Bytes that are not UTF-8 become one U+FFFD for each maximal ill-formed
//     part (Unicode 15, section 3.9, "U+FFFD substitution of maximal
//     subparts"), as a WHATWG decoder does before JSON.parse sees the text.
//   - Numbers are doubles: 1e400 is Infinity, 9007199254740993 equals
//     9007199254740992, and -0 is kept apart from 0. The literal is kept too,
//     and written back unchanged.
//   - Of duplicate keys the last value counts, at the place of the first.
//     "__proto__" is a key like any other.
//   - Every value knows its byte offset, so that a message can say where.
//
// The grammar itself is RFC 8259, strictly: no comments, no trailing commas, no
// byte order mark, nothing after the value.
package ecmajson

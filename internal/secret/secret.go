// Package secret holds values that must not be printed: header values, signing
// keys, URLs that carry tokens. A [Text] shows itself as "[secret]" to every
// printer, encoder and logger of the standard library; only [Text.Reveal]
// gives the value back, which makes each use easy to find in a review.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Mask is what a [Text] prints instead of its value.
const Mask = "[secret]"

// Text is a string that cannot be printed by accident. The zero value is an
// empty secret. Texts are compared with [Text.Equal].
type Text struct {
	_ [0]func() // no ==, which would compare pointers
	// The pointer keeps the value from %p, for which fmt prints field by
	// field without asking Format.
	value *string
}

// New wraps value.
func New(value string) Text { return Text{value: &value} }

// Reveal returns the value. Its result belongs on the wire, nowhere else.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether the secret is empty.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal reports whether both hold the same value.
func (t Text) Equal(other Text) bool { return t.Reveal() == other.Reveal() }

// String implements [fmt.Stringer]; it never shows the value.
func (t Text) String() string { return Mask }

// GoString implements [fmt.GoStringer]; it never shows the value.
func (t Text) GoString() string { return Mask }

// Format implements [fmt.Formatter], so that no verb, %x included, shows the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// MarshalJSON implements [json.Marshaler]; it never shows the value.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(Mask) }

// MarshalText implements [encoding.TextMarshaler]; it never shows the value.
func (t Text) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// LogValue implements [slog.LogValuer]; it never shows the value.
func (t Text) LogValue() slog.Value { return slog.StringValue(Mask) }

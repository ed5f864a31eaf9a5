package export

// quickDepth is how deeply a value may be nested that quickEnd looks at.
const quickDepth = 32

// quickEnd returns where the JSON value that begins at b[i] ends, if that can
// be told at once: the value lies in b as a whole, is not nested too deeply
// and is valid. Otherwise it returns -1 and says nothing: the jsonCursor, which
// is some three times slower, finds out. depth is how many containers are open;
// deepest is the largest depth that was reached.
func quickEnd(b []byte, i, depth int) (end, deepest int) {
	if i >= len(b) {
		return -1, depth
	}
	switch c := b[i]; c {
	case '"':
		return quickString(b, i), depth
	case '{', '[':
		if depth >= quickDepth {
			return -1, depth
		}
		return quickContainer(b, i, depth+1)
	case 't':
		return quickWord(b, i, "true"), depth
	case 'f':
		return quickWord(b, i, "false"), depth
	case 'n':
		return quickWord(b, i, "null"), depth
	}
	return quickNumber(b, i), depth
}

func quickContainer(b []byte, i, depth int) (end, deepest int) {
	deepest = depth
	closing := b[i] + 2
	i = quickSpace(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, deepest
	}
	for {
		if closing == '}' {
			if i = quickKey(b, i); i < 0 {
				return -1, depth
			}
		}
		var inner int
		if i, inner = quickEnd(b, i, depth); i < 0 {
			return -1, depth
		}
		deepest = max(deepest, inner)
		i = quickSpace(b, i)
		switch {
		case i >= len(b):
			return -1, depth
		case b[i] == closing:
			return i + 1, deepest
		case b[i] != ',':
			return -1, depth
		}
		i = quickSpace(b, i+1)
	}
}

// quickKey returns where the value after the key at b[i] begins, or -1.
func quickKey(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = quickString(b, i); i < 0 {
		return -1
	}
	i = quickSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return -1
	}
	return quickSpace(b, i+1)
}

func quickSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// quickString returns the end of the string at b[i], or -1.
func quickString(b []byte, i int) int {
	for i++; ; {
		i += plainPrefix(b[i:])
		switch {
		case i >= len(b) || b[i] < 0x20:
			return -1
		case b[i] == '"':
			return i + 1
		case i+6 <= len(b) && b[i+1] == 'u' && isHexQuad(b[i+2:i+6]):
			i += 6
		case i+2 <= len(b) && isPlainEscape(b[i+1]):
			i += 2
		default:
			return -1
		}
	}
}

func isPlainEscape(c byte) bool {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

func quickWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// quickNumber returns the end of the number at b[i], or -1; -1 also when it
// touches the end of b, because more digits may follow.
func quickNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	first := i
	if i = quickDigits(b, i); i < 0 || b[first] == '0' && i > first+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = quickDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if i = quickDigits(b, i); i < 0 {
			return -1
		}
	}
	if i == len(b) {
		return -1
	}
	return i
}

// quickDigits returns the end of the digits at b[i], or -1 when there are none.
func quickDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// isHexQuad reports whether b consists of hexadecimal digits.
func isHexQuad(b []byte) bool {
	for _, c := range b {
		if !isHexDigit(c) {
			return false
		}
	}
	return true
}

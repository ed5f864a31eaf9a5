package audit

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkRecord compares a locked, torn-tail-safe append with the floor: one
// bare write of the same line to an open file.
func BenchmarkRecord(b *testing.B) {
	a := attempt("notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P", 1)
	b.Run("floor", func(b *testing.B) {
		f, err := os.OpenFile(filepath.Join(b.TempDir(), FileName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Write(Line(a)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("record", func(b *testing.B) {
		l := newFolder(b).log(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Record(context.Background(), a); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	a := attempt("notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P", 1)
	b.ReportAllocs()
	for b.Loop() {
		Line(a)
	}
}

func BenchmarkReader(b *testing.B) {
	f := newFolder(b)
	l := f.log(b)
	const lines = 10_000
	for range lines {
		record(b, l, "notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P")
	}
	size, err := l.Size()
	if err != nil {
		b.Fatal(err)
	}
	for name, use := range map[string]func(RawLine){"lines": func(RawLine) {}, "objects": func(r RawLine) { isObject(r.Bytes) }, "entries": func(r RawLine) { r.Entry() }} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				file, err := os.Open(f.path)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for r := NewReader(file, 0); ; n++ {
					line, err := r.Next()
					if err != nil {
						break
					}
					use(line)
				}
				file.Close()
				if n != lines {
					b.Fatalf("%d lines", n)
				}
			}
		})
	}
}

package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

// TestQR reads the drawing back, module by module.
func TestQR(t *testing.T) {
	const key = "QQQQQQQQQQQQQQQQQQQQQQQQQQ"
	code, err := qr.Encode(key, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := drawQR(key, false)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSuffix(drawn, "\n"), "\n")
	for y, row := range rows {
		if utf8.RuneCountInString(row) != code.Size+8 {
			t.Fatalf("row %d is %d wide, want %d with the quiet zone", y, utf8.RuneCountInString(row), code.Size+8)
		}
		for x, r := range []rune(row) {
			upper, lower := strings.ContainsRune("█▀", r), strings.ContainsRune("█▄", r)
			if upper != code.Black(x-4, 2*y-4) || lower != code.Black(x-4, 2*y-3) {
				t.Fatalf("row %d, column %d is %q", y, x, r)
			}
		}
	}
	coloured, err := drawQR(key, true)
	if err != nil || strings.Count(coloured, "\x1b[0m\n") != len(rows) {
		t.Errorf("a row ends in colour (%v)", err)
	}
}

package look

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

// TestQR reads the drawing back, module by module.
func TestQR(t *testing.T) {
	for _, text := range []string{"QQQQQQQQQQQQQQQQQQQQQQQQQQ", "EARSHOT:VERIFY:581C0B673446A5013A0CE3FABB466EB2:MMWCJIVT6AYTFI4KQKMJXD24"} {
		code, err := qr.Encode(text, qr.L)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := QR(text)
		if err != nil || len(rows) != (code.Size+9)/2 {
			t.Fatalf("%d rows for %d modules, %v", len(rows), code.Size, err)
		}
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
		for _, colour := range []bool{false, true} {
			printed, err := PrintQR(text, colour)
			if err != nil || strings.Count(printed, "\n") != len(rows) || colour != (strings.Count(printed, "\x1b[38;5;16;48;5;231m") == len(rows)) || colour != (strings.Count(printed, "\x1b[0m\n") == len(rows)) {
				t.Errorf("colour %v: %q, %v", colour, printed, err)
			}
		}
	}
}

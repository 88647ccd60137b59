package cli

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// drawQR returns text as a QR code in half blocks, two modules a character, with the quiet zone of four modules that scanners need (ISO/IEC 18004).
// With colour it is black on white whatever the terminal's own colours are; without, dark is what is printed.
func drawQR(text string, colour bool) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw the QR code: %w", err)
	}
	const quiet = 4
	before, after := "", ""
	if colour {
		before, after = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString(before)
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := code.Black(x, y), code.Black(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString(after + "\n")
	}
	return b.String(), nil
}

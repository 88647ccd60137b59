package look

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QR returns text as the rows of a QR code in half blocks, two modules a character, with the quiet zone of four modules that scanners need (ISO/IEC 18004). What is dark is
// the character's, what is light its background. Nothing soils a screen, so that the code has the least redundancy, and is small: text in capitals and digits is the smallest.
func QR(text string) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	const quiet = 4
	var rows []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
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
		rows = append(rows, b.String())
	}
	return rows, nil
}

// PrintQR returns a QR code to be printed. With colour it is black on white whatever the terminal's own colours are; without, dark is what is printed.
func PrintQR(text string, colour bool) (string, error) {
	rows, err := QR(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, row := range rows {
		if colour {
			row = fmt.Sprintf("\x1b[38;5;%d;48;5;%dm%s\x1b[0m", black, white, row)
		}
		b.WriteString(row + "\n")
	}
	return b.String(), nil
}

// Black and white of the 256-colour palette, which themes of terminals leave alone.
const black, white = 16, 231

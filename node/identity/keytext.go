package identity

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unicode"
)

// ParseKey accepts a key as shown, in groups or not, any letter case, with any white space and hyphens, and returns the 26
// characters that are the secret. The error may name a character that no key contains; it never tells one that belongs to it.
func ParseKey(text string) (string, error) {
	var key []byte
	count := 0
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || r == '\ufeff' { // Pd: dashes of word processors; FEFF: Notepad's mark
			continue
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		count++
		if (r < 'A' || r > 'Z') && (r < '2' || r > '7') {
			return "", fmt.Errorf("%w: character %d is %+q, a key has only the letters A-Z and the digits 2-7", ErrKey, count, r)
		}
		if count <= keyLen {
			key = append(key, byte(r))
		}
	}
	switch {
	case count == 0:
		return "", fmt.Errorf("%w: it is empty", ErrKey)
	case count != keyLen:
		return "", fmt.Errorf("%w: it has %d characters, a key has %d", ErrKey, count, keyLen)
	}
	return string(key), nil
}

// ReadKeyFile reads a key from a file, which others must not be able to open (ErrExposed), or from stdin where path is "-".
// A pipe or terminal has no such check. Of stdin only the first line is taken: the rest belongs to whoever reads it next.
func ReadKeyFile(path string) (string, error) {
	var text []byte
	var err error
	from := "the key file " + path
	if path == "-" {
		from = "standard input"
		text, err = readLine(os.Stdin)
	} else {
		text, err = ReadSecret(path)
	}
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	return key, nil
}

// readLine reads up to a newline or the end and not a byte further.
func readLine(r io.Reader) ([]byte, error) {
	var line, b []byte = nil, make([]byte, 1)
	for len(line) <= maxSecretFile {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' || errors.Is(err, io.EOF) && n == 0 {
			return line, nil
		}
		if n == 1 {
			line = append(line, b[0])
		} else if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("too long for a key")
}

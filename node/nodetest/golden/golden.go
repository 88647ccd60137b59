// Package golden keeps bytes as they were encoded once, for tests of formats that are frozen: in testdata/NAME.hex of the package that is tested, as hexadecimal digits. With -update a file that is
// missing is written, and an old one never.
package golden

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files that are missing")

// Check fails the test where what was encoded is not what the file holds, and returns that.
func Check(t testing.TB, name string, encoded []byte) []byte {
	t.Helper()
	want := Make(t, name, func() []byte { return encoded })
	if !bytes.Equal(encoded, want) {
		t.Errorf("%s: encoded\n%swant\n%s", name, digits(encoded), digits(want))
	}
	return want
}

// Make returns what the file holds; one that is missing is written with what once returns. It is for what differs each time, so that a file pins decoding alone.
func Make(t testing.TB, name string, once func() []byte) []byte {
	t.Helper()
	file := path(name)
	if _, err := os.Stat(file); *update && errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(file, digits(once()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return Read(t, name)
}

// Read returns what the file holds.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(path(name))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func path(name string) string { return filepath.Join("testdata", name+".hex") }

// digits has 32 bytes a line.
func digits(b []byte) []byte {
	var text []byte
	for part := range slices.Chunk(b, 32) {
		text = append(hex.AppendEncode(text, part), '\n')
	}
	return text
}

package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	key1 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	key2 = "234567ABCDEFGHIJKLMNOPQRST"
)

func TestNewKey(t *testing.T) {
	k := NewKey()
	if got, err := ParseKey(k); err != nil || got != k {
		t.Error("a new key is none", err)
	}
	if got, err := ParseKey(FormatKey(k)); err != nil || got != k {
		t.Error("a key as shown is none", err)
	}
	if NewKey() == k {
		t.Error("two keys are equal")
	}
	if got, want := FormatKey(key1), "ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := NewNetwork("x", []byte(k)); err != nil {
		t.Error(err)
	}
}

func TestParseKey(t *testing.T) {
	for _, text := range []string{
		key1,
		"abcdefghijklmnopqrstuvwxyz",
		"  ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ\r\n",
		"ABCD EFGH IJKL\tMNOP\nQRST UVWX YZ",
		"abcd\u2013EFGH\u00a0ijkl--MNOP-QRST-UVWX-YZ-",
		"\ufeffABCDEFGHIJKLMNOPQRSTUVWXYZ",
	} {
		if got, err := ParseKey(text); err != nil || got != key1 {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, v := range []struct{ text, says string }{
		{"", "empty"},
		{" - \n", "empty"},
		{key1[:25], "25 characters"},
		{key1 + "2", "27 characters"},
		{"ABCD-EFGH-IJK0-MNOP-QRST-UVWX-YZ", "character 12 is '0'"},
		{"ABCD\x1bEFGHIJKLMNOPQRSTUVWXY", `character 5 is '\x1b'`},
		{"ABCDEFGH\u202eIJKLMNOPQRSTUVWXY", `character 9 is '\u202e'`},
		{"\u0131BCDEFGHIJKLMNOPQRSTUVWXYZ", `character 1 is '\u0131'`}, // a dotless i is not I
		{strings.Repeat("A", 1<<20), "1048576 characters"},
	} {
		_, err := ParseKey(v.text)
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), v.says) {
			t.Errorf("%.40q: %v, want %q", v.text, err, v.says)
		}
		if err != nil && (strings.Contains(err.Error(), "ABCD") || len(err.Error()) > 120) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{key1, "abcd-efgh-ijkl-mnop-qrst-uvwx-yz", "", "\xff", "ABCD0", key1 + " 7", "\ufeff\u2013" + key2} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			if !errors.Is(err, ErrKey) || key != "" {
				t.Fatal(key, err)
			}
			for _, r := range err.Error() {
				if r < ' ' || r > '~' {
					t.Fatalf("the error holds %q", r)
				}
			}
			return
		}
		if len(key) != 26 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("%q is no key", key)
		}
		if again, err := ParseKey(FormatKey(key)); err != nil || again != key {
			t.Fatalf("%q came back as %q, %v", key, again, err)
		}
	})
}

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k := OpenKeys(dir)
	if names, err := k.List(); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
	if _, err := k.Get("office"); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if err := k.Forget("office"); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if err := k.Put("office", FormatKey(key1)); err != nil {
		t.Fatal(err)
	}
	if err := k.Put("office", key1); err != nil {
		t.Error("the same key again:", err)
	}
	if err := k.Put("office", key2); !errors.Is(err, fs.ErrExist) {
		t.Error("another key:", err)
	}
	if got, err := k.Get("office"); err != nil || got != key1 {
		t.Error(err)
	}
	if err := k.Put("club", key1[:20]); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "office.key")); err != nil || string(text) != FormatKey(key1)+"\n" {
		t.Errorf("%q, %v", text, err)
	}
	checkMode(t, dir, 0o700)
	checkMode(t, filepath.Join(dir, "office.key"), 0o600)
	if err := k.Forget("office"); err != nil {
		t.Error(err)
	}
	if _, err := k.Get("office"); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

// Any name of a network gets a file of its own inside the folder, on every file system.
func TestKeysNames(t *testing.T) {
	root := t.TempDir()
	k := OpenKeys(filepath.Join(root, "keys"))
	names := []string{
		"Office", "office", "OFFICE", "..", ".", "../office", "/etc/passwd", `a\b`, "a:b", "a b", "a.key", "%41", "a\x00b", "a\nb",
		"\u00e9", "e\u0301", "büro 会議", "-x", "~", strings.Repeat("\u00e9", MaxNetworkName/2),
	}
	for i, name := range names {
		if err := k.Put(name, numbered(i)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i, name := range names {
		if got, err := k.Get(name); err != nil || got != numbered(i) {
			t.Errorf("%q: %v", name, err)
		}
	}
	write(t, filepath.Join(root, "keys", "UPPER.key"), key1, 0o600) // not a name this package writes
	write(t, filepath.Join(root, "keys", "notes.txt"), key1, 0o600)
	listed, err := k.List()
	if want := slices.Sorted(slices.Values(names)); err != nil || !slices.Equal(listed, want) {
		t.Errorf("listed %q, %v", listed, err)
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[strings.ToLower(keyFile(name))] = true
	}
	if len(seen) != len(names) {
		t.Error("two names meet where case is folded")
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder: %v, %v", entries, err)
	}
	for _, name := range []string{"", strings.Repeat("x", MaxNetworkName+1), "\xff"} {
		if err := k.Put(name, key1); err == nil {
			t.Errorf("%q was stored", name)
		}
	}
}

// numbered returns a key for each i below 26.
func numbered(i int) string { return strings.Repeat(string(rune('A'+i)), keyLen) }

func TestKeysExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such mode bits")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "office.key")
	write(t, path, key1, 0o644)
	k := OpenKeys(dir)
	if _, err := k.Get("office"); !errors.Is(err, ErrExposed) || !strings.HasSuffix(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
	if err := k.Put("office", key1); !errors.Is(err, ErrExposed) {
		t.Error(err)
	}
	write(t, path, "nonsense!", 0o600)
	if _, err := k.Get("office"); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestReadKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, "\n"+FormatKey(key1)+"\n", 0o600)
	if got, err := ReadKeyFile(path); err != nil || got != key1 {
		t.Error(err)
	}
	if _, err := ReadKeyFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := ReadKeyFile(filepath.Dir(path)); err == nil {
		t.Error("a folder was read")
	}
	write(t, path, key1[:9], 0o600)
	if _, err := ReadKeyFile(path); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), key1[:9]) {
		t.Error(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	write(t, path, key1, 0o640)
	if _, err := ReadKeyFile(path); !errors.Is(err, ErrExposed) || !strings.HasSuffix(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
}

// A pipe has a mode, but no other reader: its mode is not asked about.
func TestReadKeyPipe(t *testing.T) {
	if _, err := os.Stat("/dev/fd"); err != nil {
		t.Skip("no /dev/fd here")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.WriteString(w, key1)
	w.Close()
	dup := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if got, err := ReadKeyFile(dup); err != nil || got != key1 {
		t.Error(err)
	}
	if err := exposed("fifo", fs.ModeNamedPipe|0o644); err != nil {
		t.Error(err)
	}
}

// What follows the key's line stays for the next reader.
func TestReadLine(t *testing.T) {
	r := strings.NewReader(key1 + "\nhello\n")
	if line, err := readLine(r); err != nil || string(line) != key1 {
		t.Errorf("%q, %v", line, err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "hello\n" {
		t.Errorf("left %q", rest)
	}
	if line, err := readLine(strings.NewReader(key2)); err != nil || string(line) != key2 {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := readLine(endless{}); err == nil {
		t.Error("an endless line was read")
	}
	if _, err := readLine(failing{}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { b[0] = 'A'; return 1, nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, os.ErrClosed }

// A key that another takes the place of is kept for reading, whatever happened half-way.
func TestSucceed(t *testing.T) {
	const key3 = "CCCCCCCCCCCCCCCCCCCCCCCCCC"
	k := OpenKeys(filepath.Join(t.TempDir(), "keys"))
	is := func(what, key string, before ...string) {
		t.Helper()
		got, err := k.Get("office")
		list, err2 := k.Before("office")
		if err != nil || err2 != nil || got != key || !slices.Equal(list, before) {
			t.Errorf("%s: %s before %s, %v %v", what, got, list, err, err2)
		}
	}
	if list, err := k.Before("office"); err != nil || list != nil {
		t.Error(list, err)
	}
	if err := k.Put("office", key1); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again: it may have been interrupted before it could be noted
		if err := k.Succeed("office", key1, key2); err != nil {
			t.Fatal(err)
		}
		is("first", key2, key1)
	}
	if err := ReplaceSecret(filepath.Join(k.dir, "office.key"), []byte(key1)); err != nil { // as after half of it
		t.Fatal(err)
	}
	if err := k.Succeed("office", key1, key2); err != nil {
		t.Fatal(err)
	}
	is("half-way", key2, key1)
	if err := k.Succeed("office", key2, key3); err != nil {
		t.Fatal(err)
	}
	is("second", key3, key2, key1)
	if err := k.Succeed("office", key1, key2); err != nil { // from a key that was given by --key-file, while the stored one is another
		t.Fatal(err)
	}
	is("another stored", key2, key1, key3)
	if names, err := k.List(); err != nil || !slices.Equal(names, []string{"office"}) {
		t.Error(names, err)
	}
	info, err := os.Stat(filepath.Join(k.dir, "office.before"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for range maxBefore + 4 {
		now, _ := k.Get("office")
		if err := k.Succeed("office", now, NewKey()); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := k.Before("office"); err != nil || len(list) != maxBefore {
		t.Error(len(list), err)
	}
	if err := k.Forget("office"); err != nil {
		t.Fatal(err)
	}
	if list, err := k.Before("office"); err != nil || list != nil {
		t.Error("not forgotten", list, err)
	}
	if err := k.Succeed("../office", key1, key2); err != nil { // a name is no way out of the folder
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(k.dir, "..", "office.before")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

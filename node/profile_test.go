package node

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// opened opens a node on a profile, and returns what it remembers and what it tells the user after doing what is asked.
func opened(t *testing.T, dir string, do ...Command) (*Node, string) {
	t.Helper()
	n, err := New(Config{Dir: dir, HostDir: t.TempDir(), DefaultNick: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, c := range do {
		if err := n.Do(context.Background(), c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	told := ""
	for _, notice := range n.notices {
		told += notice.Text + " | " + notice.Hint
	}
	return n, told
}

// What a person chose is there at the next start, beside what a later version remembered.
func TestSettingsStay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(file, []byte(`{"nick":"zoe","later":{"a":[1,2]},"muted":["build"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, dir, Prefer{"colours", "light"}, Prefer{"notify", "off"}, Prefer{"notify", ""}, Mute{Room: "#build"}, Mute{Room: "#tea", On: true})
	n, told := opened(t, dir, Prefer{"mouse", "off"})
	if want := map[string]string{"colours": "light", "mouse": "off"}; !maps.Equal(n.Preferred(), want) || n.Nick() != "zoe" || told != "" {
		t.Errorf("%v, %s, told %q", n.Preferred(), n.Nick(), told)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(b)), "")
	for _, want := range []string{`"later":{"a":[1,2]}`, `"muted":["tea"]`, `"screen":{"colours":"light","mouse":"off"}`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 && filepath.Separator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if n, _ = opened(t, dir, Mute{Room: "#tea"}); len(n.profile.get().Muted) > 0 {
		t.Error("muted")
	}
	if b, err = os.ReadFile(file); err != nil || strings.Contains(string(b), "muted") {
		t.Errorf("what is empty came back: %s, %v", b, err)
	}
}

// Settings that are damaged are set aside and told of, once; the chat begins with the defaults.
func TestSettingsDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(`{"nick":"zoe","rooms":["tea"`), 0o600); err != nil {
		t.Fatal(err)
	}
	n, told := opened(t, dir)
	aside, err := filepath.Glob(filepath.Join(dir, "settings.json.corrupt-*"))
	if err != nil || len(aside) != 1 || !strings.Contains(told, "damaged") || !strings.Contains(told, aside[0]) || n.Nick() != "anna" {
		t.Errorf("%v, %v, told %q, called %s", aside, err, told, n.Nick())
	}
	if _, told = opened(t, dir, Prefer{"colours", "light"}); told != "" {
		t.Errorf("told again: %s", told)
	}
}

// What a process that was killed had not put in its place yet, as a keyring, does not outlive the next start.
func TestUnfinishedFilesGo(t *testing.T) {
	dir := t.TempDir()
	opened(t, dir)
	left := filepath.Join(dir, ".new-1234567890") // as identity.Replace calls it
	if err := os.Rename(filepath.Join(dir, "keyring"), left); err != nil {
		t.Fatal(err)
	}
	opened(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"earshot/ui/look"
)

// What was chosen on the screen holds at the next start, but for what flag, environment or config file decide; what makes no sense is left out.
func TestPrefer(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("NO_COLOR", "")
	if err := os.Mkdir(filepath.Join(home, "earshot"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "earshot", "config"), []byte("mouse on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, _, err := parse([]string{"--data-dir", home, "--notify", "all"})
	if err != nil {
		t.Fatal(err)
	}
	s, end, err := o.setup()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if want := []string{"notify", "mouse"}; !slices.Equal(s.Fixed, want) {
		t.Errorf("fixed: %v, want %v", s.Fixed, want)
	}
	if err := s.Prefer(map[string]string{"colours": "light", "glyphs": "ascii", "notify": "off", "mouse": "off", "nick": "mallory", "port": "1"}); err != nil {
		t.Error(err)
	}
	if s.Theme.Colours != look.Light || !s.Theme.ASCII || s.Notify != "all" || s.NoMouse || o.nick != "" || o.port != 0 {
		t.Errorf("%+v", s)
	}
	if err := s.Prefer(map[string]string{"colours": "pink"}); err == nil || s.Theme.Colours != look.Light {
		t.Errorf("%v, %+v", err, s.Theme)
	}
}

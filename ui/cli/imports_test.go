package cli

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages each may import. Everything points one way: what is above knows what is below. A folder that is not named
// here is part of the nearest named one above it.
func mayImport() map[string][]string {
	inside := []string{"node/hub", "node/link", "node/roster", "node/election", "node/exchange", "node/wire", "node/journal", "node/seal",
		"node/message", "node/port", "node/identity"}
	return map[string][]string{
		".":             {"ui", "ui/cli", "ui/plain", "node", "node/identity", "discovery"},
		"discovery":     {}, // the doctor is part of it
		"ui":            {"ui/command", "ui/plain", "ui/look", "ui/cell", "node", "node/message", "node/identity"},
		"ui/cli":        {"ui/look", "ui/plain", "node", "node/message", "node/identity"},
		"ui/plain":      {"ui/command", "ui/look", "node", "node/message"},
		"ui/command":    {"ui/look", "node", "node/message", "node/identity"},
		"ui/cell":       {},
		"ui/look":       {"ui/cell", "node/identity"},
		"node":          inside,
		"node/nodetest": append(inside, "node"), // tests only: nobody may import it
		"node/lab":      append(inside, "node"), // likewise
		"node/hub":      {"node/exchange", "node/wire", "node/identity"},
		"node/link":     {"node/exchange", "node/wire", "node/identity", "node/port"}, // port dials
		"node/exchange": {"node/wire", "node/journal", "node/message", "node/identity", "node/crew"},
		"node/journal":  {"node/wire", "node/message", "node/identity"}, // the tail holds framed runs
		"node/wire":     {"node/message", "node/identity"},
		"node/seal":     {"node/message", "node/identity"},
		"node/message":  {"node/identity"},
		"node/roster":   {"node/port", "node/identity"},
		"node/port":     {"node/identity", "node/crew"},
		"node/identity": {},
		"node/crew":     {},
		"node/election": {},
	}
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}", "earshot/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	may := mayImport()
	part := func(importPath string) string { // earshot/ui/look is part of ui
		p, _ := strings.CutPrefix(importPath, "earshot")
		for p = path.Clean(strings.TrimPrefix(p, "/")); may[p] == nil && p != "."; {
			p = path.Dir(p)
		}
		return p
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := part(words[0])
		if from == "." && words[0] != "earshot" {
			t.Errorf("%s is none of main, ui, node and discovery", words[0])
		}
		for _, imported := range words[1:] {
			if !strings.HasPrefix(imported, "earshot/") {
				continue
			}
			seen++
			if to := part(imported); to != from && !slices.Contains(may[from], to) {
				t.Errorf("%s must not import %s", words[0], imported)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d imports seen: is this still looking at the project?", seen)
	}
}

package ui

import (
	"slices"
	"strings"

	"earshot/node"
	"earshot/ui/command"
	"earshot/ui/transcript"
)

// set changes a setting of the screen, or does what only a screen can. It returns what there is to say.
func (a *app) set(s command.Setting) string {
	switch s.Name {
	case "theme":
		if t, err := a.theme.With(s.Value); err == nil && s.Value != "" { // Parse has refused what is none
			a.setTheme(t)
		}
		how := ""
		for _, word := range strings.Fields(strings.ReplaceAll(s.Value, ",", " ")) {
			name := PreferColours
			if word == "ascii" || word == "unicode" {
				name = PreferGlyphs
			}
			how = a.prefer("theme", name, word)
		}
		return "the theme is " + a.theme.String() + how
	case "notify":
		if s.Value != "" {
			a.attention = Attention(s.Value)
		}
		return "what rings the bell: " + string(a.attention) + a.prefer("notify", PreferNotify, s.Value)
	case "mouse":
		if s.Value != "" {
			a.useMouse(s.Value == "on")
		}
		how := a.prefer("mouse", PreferMouse, s.Value)
		if a.mouse {
			return "the mouse is on: it scrolls and clicks; hold Shift to select text" + how
		}
		return "the mouse is off: the terminal selects text with it" + how
	case "copy":
		if m, ok := a.here().list.NewestWhere(func(m transcript.Selected) bool { return !m.Deleted }); ok {
			a.copyText(m.Text)
			return ""
		}
		return "there is no message yet"
	case "open":
		m, _ := a.here().list.NewestWhere(func(m transcript.Selected) bool { return len(m.Links) > 0 })
		a.openLinks(m.Links)
	}
	return ""
}

// Names under which the profile remembers what was chosen here (node.Prefer).
const (
	PreferColours = "colours" // of look.Colours
	PreferGlyphs  = "glyphs"  // ascii or unicode
	PreferNotify  = "notify"  // an Attention
	PreferMouse   = "mouse"   // on or off
)

// prefer has the profile remember a setting for the next start, and says if something else decides then: a flag, the environment or the config file.
func (a *app) prefer(setting, name, value string) (how string) {
	if value == "" {
		return ""
	}
	a.aside = append(a.aside, job{node.Prefer{Name: name, Value: value}, func(err error) {
		if err != nil {
			a.fail(err)
		}
	}})
	if slices.Contains(a.fixed, setting) {
		return ", until the next start: then --" + setting + " or the config file decides"
	}
	return ""
}

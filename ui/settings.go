package ui

import (
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
		return "the theme is " + a.theme.String() + keep("theme", a.theme.String())
	case "notify":
		if s.Value != "" {
			a.attention = Attention(s.Value)
		}
		return "what rings the bell: " + string(a.attention) + keep("notify", string(a.attention))
	case "mouse":
		if s.Value != "" {
			a.useMouse(s.Value == "on")
		}
		if a.mouse {
			return "the mouse is on: it scrolls and clicks; hold Shift to select text" + keep("mouse", "on")
		}
		return "the mouse is off: the terminal selects text with it" + keep("mouse", "off")
	case "copy":
		if m, ok := a.here().list.NewestWhere(func(transcript.Selected) bool { return true }); ok {
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

// keep says how a setting is kept for the next start.
func keep(name, value string) string {
	return "; to keep it: \"" + name + " " + value + "\" in the config file"
}

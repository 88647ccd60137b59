package ui

import "earshot/ui/command"

// set changes a setting, or says how it is.
func (a *app) set(s command.Setting) string {
	t, err := a.theme.With(s.Value)
	if err != nil {
		return err.Error() // Parse has refused it
	}
	if s.Value != "" {
		a.setTheme(t)
	}
	return "the theme is " + t.String() + "; to keep it: earshot --theme '" + t.String() + "', or that in the config file"
}

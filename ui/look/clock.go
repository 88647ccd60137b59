package look

import (
	"strings"
	"time"

	"github.com/go-playground/locales"
	"github.com/go-playground/locales/bg"
	"github.com/go-playground/locales/cs"
	"github.com/go-playground/locales/da"
	"github.com/go-playground/locales/de"
	"github.com/go-playground/locales/el"
	"github.com/go-playground/locales/en_AU"
	"github.com/go-playground/locales/en_CA"
	"github.com/go-playground/locales/en_GB"
	"github.com/go-playground/locales/en_IN"
	"github.com/go-playground/locales/en_NZ"
	"github.com/go-playground/locales/en_US"
	"github.com/go-playground/locales/es"
	"github.com/go-playground/locales/es_MX"
	"github.com/go-playground/locales/et"
	"github.com/go-playground/locales/fi"
	"github.com/go-playground/locales/fr"
	"github.com/go-playground/locales/fr_CA"
	"github.com/go-playground/locales/hr"
	"github.com/go-playground/locales/hu"
	"github.com/go-playground/locales/id"
	"github.com/go-playground/locales/it"
	"github.com/go-playground/locales/ja"
	"github.com/go-playground/locales/ko"
	"github.com/go-playground/locales/lt"
	"github.com/go-playground/locales/lv"
	"github.com/go-playground/locales/nb"
	"github.com/go-playground/locales/nl"
	"github.com/go-playground/locales/pl"
	"github.com/go-playground/locales/pt"
	"github.com/go-playground/locales/pt_PT"
	"github.com/go-playground/locales/ro"
	"github.com/go-playground/locales/ru"
	"github.com/go-playground/locales/sk"
	"github.com/go-playground/locales/sl"
	"github.com/go-playground/locales/sv"
	"github.com/go-playground/locales/tr"
	"github.com/go-playground/locales/uk"
	"github.com/go-playground/locales/vi"
	"github.com/go-playground/locales/zh"
	"github.com/go-playground/locales/zh_Hant_TW"

	"earshot/ui/cell"
)

// A Clock writes days and times as the user's country does. The zero Clock writes them as POSIX's locale C would, but readably: Friday 20 November, 15:04.
type Clock struct {
	in    locales.Translator
	width int
}

// ClockFor returns the clock of a locale as the environment names it (POSIX.1 §8.2): "de_DE.UTF-8", "en_US", "C". One that is not known is written as C is.
func ClockFor(locale string) Clock {
	name, _, _ := strings.Cut(locale, ".")
	name, _, _ = strings.Cut(name, "@")
	language, _, _ := strings.Cut(name, "_")
	for _, n := range []string{name, language} {
		if make := known()[n]; make != nil {
			c := Clock{in: make()}
			for _, hour := range []int{0, 9, 12, 22} {
				c.width = max(c.width, cell.Width(c.in.FmtTimeShort(time.Date(2006, 1, 2, hour, 59, 0, 0, time.UTC))))
			}
			return c
		}
	}
	return Clock{}
}

// Width is how many cells a time takes at most.
func (c Clock) Width() int { return max(c.width, len("15:04")) }

// Time returns the time of day, at the right of Width cells.
func (c Clock) Time(t time.Time) string {
	text := t.Format("15:04")
	if c.in != nil {
		text = cell.Line(strings.ReplaceAll(c.in.FmtTimeShort(t), "\u202f", " "))
	}
	return strings.Repeat(" ", max(c.Width()-cell.Width(text), 0)) + text
}

// Day returns the date with the day of the week. In the locale C the year is there only where it is wanted.
func (c Clock) Day(t time.Time, year bool) string {
	switch {
	case c.in != nil:
		return cell.Line(c.in.FmtDateFull(t))
	case year:
		return t.Format("Monday 2 January 2006")
	}
	return t.Format("Monday 2 January")
}

// known returns the locales there are, by language or language and country. Scripts that run from right to left are not among them: few terminals can write them.
func known() map[string]func() locales.Translator {
	return map[string]func() locales.Translator{
		"bg":    bg.New,
		"cs":    cs.New,
		"da":    da.New,
		"de":    de.New,
		"el":    el.New,
		"en_AU": en_AU.New,
		"en_CA": en_CA.New,
		"en_GB": en_GB.New,
		"en_IN": en_IN.New,
		"en_NZ": en_NZ.New,
		"en_US": en_US.New,
		"es":    es.New,
		"es_MX": es_MX.New,
		"et":    et.New,
		"fi":    fi.New,
		"fr":    fr.New,
		"fr_CA": fr_CA.New,
		"hr":    hr.New,
		"hu":    hu.New,
		"id":    id.New,
		"it":    it.New,
		"ja":    ja.New,
		"ko":    ko.New,
		"lt":    lt.New,
		"lv":    lv.New,
		"nb":    nb.New,
		"nl":    nl.New,
		"pl":    pl.New,
		"pt":    pt.New,
		"pt_PT": pt_PT.New,
		"ro":    ro.New,
		"ru":    ru.New,
		"sk":    sk.New,
		"sl":    sl.New,
		"sv":    sv.New,
		"tr":    tr.New,
		"uk":    uk.New,
		"vi":    vi.New,
		"zh":    zh.New,
		"zh_TW": zh_Hant_TW.New,
	}
}

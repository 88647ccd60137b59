package node

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the user is told of a clock, measured once a second.
func TestSkew(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		offs    []time.Duration // for as long as is given below
		vouched bool
		each    time.Duration
		want    []string // what each notice says
	}{
		"right":                           {offs: []time.Duration{0}, vouched: true, each: time.Hour},
		"nearly":                          {offs: []time.Duration{59 * time.Second, -59 * time.Second}, vouched: true, each: time.Hour},
		"ahead, once":                     {offs: []time.Duration{365 * day}, vouched: true, each: time.Hour, want: []string{"1 year ahead"}},
		"behind, once":                    {offs: []time.Duration{-40 * day}, vouched: true, each: time.Hour, want: []string{"40 days behind"}},
		"ahead, behind, right":            {offs: []time.Duration{2 * time.Hour, -time.Hour, 0}, vouched: true, each: 90 * time.Second, want: []string{"2 hours ahead", "1 hour behind", "right again"}},
		"at the edge":                     {offs: []time.Duration{61 * time.Second, 59 * time.Second, 61 * time.Second, 31 * time.Second}, vouched: true, each: 90 * time.Second, want: []string{"1 minute ahead"}},
		"apart":                           {offs: []time.Duration{-365 * day, -365 * day}, each: time.Hour, want: []string{"1 year apart"}},
		"for a moment":                    {offs: []time.Duration{0, time.Hour, 0, -time.Hour, 0}, vouched: true, each: 4 * time.Second},
		"as often as one who lies wishes": {offs: []time.Duration{time.Hour, -time.Hour, time.Hour, -time.Hour, time.Hour}, vouched: true, each: 8 * time.Second, want: []string{"ahead"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				s := skew{notice: func(text, hint string) { told = append(told, text+" "+hint) }}
				for _, off := range c.offs {
					for range c.each / time.Second {
						s.measured(off, c.vouched)
						time.Sleep(time.Second)
					}
				}
				if len(told) != len(c.want) {
					t.Fatalf("told %q", told)
				}
				for i, text := range told {
					if !strings.Contains(text, c.want[i]) {
						t.Errorf("told %q, want %q", text, c.want[i])
					}
				}
			})
		})
	}
}

package message

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanNick(t *testing.T) {
	for in, want := range map[string]string{
		"alice":                       "alice",
		"Zoe\u0308":                   "Zo\u00eb",
		" Anna  Maria\t":              "Anna_Maria",
		"a\u00a0b\u3000c\u2028d":      "a_b_c_d",
		"@al#i,ce:":                   "alice",
		"＠ａｌｉｃｅ":                      "alice",
		"ﬁona":                        "fiona",
		"a~7Q2K":                      "a7Q2K",
		"✓bob✓":                       "bob",
		"√bob🗸∼7Q2K":                  "bob7Q2K",
		"\x1b]0;x\x07bob\r\nhub":      "]0;xbob_hub",
		"bob\u202etxt":                "bobtxt",
		"\u200bb\u200do\u2060b\ufeff": "bob",
		"[red]bob":                    "[red]bob",
		"می\u200cخواهم":               "می\u200cخواهم",
		"b" + strings.Repeat("\u0316", 60) + "ob": "b" + strings.Repeat("\u0316", maxMarks) + "ob",
		strings.Repeat("ab", 20):                  strings.Repeat("ab", 12),
		strings.Repeat("𝒳", 30):                   strings.Repeat("X", 24),
		strings.Repeat("x", 23) + "q\u0301y":      strings.Repeat("x", 23),
		"日本語":                                     "日本語",
		"🦊":                                       "🦊",
		"hubert":                                  "hubert",
		"\u2800bob":                               "bob",
		"a\u0640b\u1100c":                         "abc", // PRECIS knows neither
		strings.Repeat("\x01", 90) + "bob":        "bob",
	} {
		got, err := CleanNick(in)
		if err != nil || got != want {
			t.Errorf("%+q became %+q, want %+q, %v", in, got, want, err)
		}
		if shown := ShowNick(in); shown != want {
			t.Errorf("%+q is shown as %+q, want %+q", in, shown, want)
		}
	}
}

func TestCleanNickRefuses(t *testing.T) {
	for in, shown := range map[string]string{
		"":                          "?",
		" \t\n":                     "?",
		"@#,:":                      "?",
		"\u200b\u202e":              "?",
		"\u0301":                    "?",
		strings.Repeat("\x01", 2e3): "?",
		"hub":                       "hub?",
		"Server":                    "Server?",
		"SYSTEM":                    "SYSTEM?",
		"ｅａｒｓｈｏｔ":                   "earshot?",
		"@everyone":                 "everyone?",
		"h\u00e9re":                 "h\u00e9re?",
		"ѕуѕtеm":                    "ѕуѕtеm?", // Cyrillic but for t and m
		"a1l":                       "a1l?",
		"You":                       "You?",
		"s0meone":                   "s0meone?",
	} {
		if nick, err := CleanNick(in); err == nil {
			t.Errorf("%+q is allowed as %+q", in, nick)
		}
		got := ShowNick(in)
		if got != shown {
			t.Errorf("%+q is shown as %+q, want %+q", in, got, shown)
		}
		if key := NickKey(got); Reserved(key) != (got != "?") || Reserved("x"+key) {
			t.Errorf("%q is reserved: %v", got, Reserved(key))
		}
	}
}

func TestNickKey(t *testing.T) {
	for _, same := range [][]string{
		{"alice", "Alice", "ALICE", "а\u04cfісе", "ａｌｉｃｅ", "a1ice", "alíce", "aIice", "αlιce"},
		{"bob", "b0b", "ВОВ", "ΒΟΒ", "b\u200dob"},
		{"Zoë", "zoe"},
	} {
		for _, nick := range same[1:] {
			if NickKey(nick) != NickKey(same[0]) {
				t.Errorf("%q has the key %q, %q has %q", nick, NickKey(nick), same[0], NickKey(same[0]))
			}
		}
	}
	for _, differ := range [][2]string{{"alice", "bob"}, {"alice", "alice2"}, {"anna", "hanna"}, {"дима", "лена"}, {"日本", "日木"}, {"🦊", "🐻"}} {
		if NickKey(differ[0]) == NickKey(differ[1]) {
			t.Errorf("%q and %q have one key, %q", differ[0], differ[1], NickKey(differ[0]))
		}
	}
}

func TestCleanRoom(t *testing.T) {
	for in, want := range map[string]string{
		"lobby": "lobby", "#Lobby": "lobby", " #LOBBY\n": "lobby", "v1.2-rc_3": "v1.2-rc_3", "Straße": "straße", "İstanbul": "istanbul",
		"ΛΌΓΟΣ": "λόγοσ", "日本": "日本", "हिन्दी": "हिन्दी", "ｌｏｂｂｙ": "lobby", "Zoe\u0308": "zo\u00eb",
		strings.Repeat("ä", MaxRoomName): strings.Repeat("ä", MaxRoomName),
	} {
		got, err := CleanRoom(in)
		if err != nil || got != want {
			t.Errorf("%q became %q, want %q, %v", in, got, want, err)
		}
	}
	for _, in := range []string{
		"", "#", "##lobby", "a b", "a#b", "a\nb", "a\x1b[0m", "lob\u200bby", "lo\u200dbby", "\u202elobby", "a/b", "a:b", "[red]", "...", "a\xff", "🦊",
		"a" + strings.Repeat("\u0316", 9), strings.Repeat("ä", MaxRoomName+1), strings.Repeat("x", 1<<20), "\u0301a",
	} {
		if got, err := CleanRoom(in); err == nil {
			t.Errorf("%.40q is allowed as %.40q", in, got)
		}
	}
}

func FuzzCleanNick(f *testing.F) {
	for _, s := range []string{"alice", " a  b ", "＠ａ", "\ufdfa", "\u00b4x", "ﬁ", "a\u00b7l·", "א\u05f3", "١٢", "می\u200cخ", "क्\u200dष", "\u1fbf\u0301", "x\u2800", "ѕуѕtеm"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := ShowNick(s)
		if again := ShowNick(shown); again != shown {
			t.Errorf("%+q, shown again %+q", shown, again)
		}
		nick, err := CleanNick(s)
		if err != nil {
			return
		}
		if again, err := CleanNick(nick); again != nick || err != nil {
			t.Errorf("%+q, cleaned again %+q, %v", nick, again, err)
		}
		if n := utf8.RuneCountInString(nick); n < 1 || n > MaxNick || len(nick) > MaxNickBytes {
			t.Errorf("%d runes, %d bytes", n, len(nick))
		}
		if strings.ContainsFunc(nick, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Z) || strings.ContainsRune("@#,:~✓", r)
		}) || nick != Tidy(nick) {
			t.Errorf("from %+q: %+q", s, nick)
		}
	})
}

func FuzzCleanRoom(f *testing.F) {
	for _, s := range []string{"#lobby", "İ", "ΛΌΓΟΣ", "Ⅷ", "\u212a", "a\u0345", "ǅ", "\u1e9e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := CleanRoom(s)
		if err != nil {
			return
		}
		if again, err := CleanRoom(name); again != name || err != nil {
			t.Errorf("%+q, cleaned again %+q, %v", name, again, err)
		}
		if len(name) > MaxRoomNameBytes || name != Tidy(name) {
			t.Errorf("from %+q: %+q", s, name)
		}
	})
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"bob", "bob", 0}, {"hlep", "help", 1}, {"hlep", "keep", 2}, {"jion", "join", 1}, {"boob", "bob", 1}, {"zoë", "zoe", 1}, {"ca", "abc", 3}, {"漢字", "字漢", 1}, {"kitten", "sitting", 3}} {
		if got, back := Edits(c.a, c.b), Edits(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q, %q: %d, %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}

func BenchmarkShowNick(b *testing.B) {
	for name, nick := range map[string]string{"usual": "alice", "worst": strings.Repeat("\u0640ä", 1<<14)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ShowNick(nick)
			}
		})
	}
}

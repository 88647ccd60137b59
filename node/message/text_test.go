package message

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCleanText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":                     {"good morning,\n\tall", "good morning,\n\tall"},
		"nothing":                   {"", ""},
		"tview tags":                {`[red] ["region"] [red:::https://evil/] [-:-:-]`, `[red] ["region"] [red:::https://evil/] [-:-:-]`},
		"colour":                    {"\x1b[31mred\x1b[0m", "[31mred[0m"},
		"clipboard":                 {"\x1b]52;c;ZXZpbA==\x07x", "]52;c;ZXZpbA==x"},
		"title, C1":                 {"\u009d0;root\u009cx\u009b2J", "0;rootx2J"},
		"C0 and DEL":                {"a\x00b\x07c\x08d\x7fe\x0ef", "abcdef"},
		"raw C1 bytes":              {"a\x9b2Jb", "a\uFFFD2Jb"},
		"line ends":                 {"a\r\nb\rc\vd\fe\u0085f\u2028g\u2029h\n\ri", "a\nb\nc\nd\ne\nf\ng\nh\n\ni"},
		"invalid UTF-8":             {"a\xff\xfeb\xc3", "a\uFFFDb\uFFFD"},
		"surrogates":                {"a\xed\xa0\x80b", "a\uFFFDb"},
		"composed":                  {"Zoe\u0308 \u212b", "Zo\u00eb \u00c5"},
		"overrides":                 {"a\u202eb\u202dc\u202ad\u202be\u202cf", "abcdef"},
		"isolates":                  {"a\u2066b\u2067c\u2068d\u2069e", "abcde"},
		"direction marks":           {"a\u200eb\u200fc\u061cd", "abcd"},
		"Arabic and Hebrew":         {"مرحبا שלום", "مرحبا שלום"},
		"zero width":                {"a\u200bb\u2060c\ufeffd\u00ade\u034ff\u180eg", "abcdefg"},
		"byte order mark":           {"\ufeffhello", "hello"},
		"fillers":                   {"a\u115f\u1160\u3164\uffa0\u17b4b", "ab"},
		"noncharacters":             {"a\ufffe\uffff\ufdd0\U0010ffffb", "ab"},
		"tags":                      {"a\U000e0001\U000e0041\U000e007fb", "ab"},
		"a flag of tags":            {"\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!", "\U0001f3f4!"},
		"flag":                      {"🇩🇪", "🇩🇪"},
		"family":                    {"👩\u200d👩\u200d👧 👍🏽", "👩\u200d👩\u200d👧 👍🏽"},
		"heart on fire":             {"❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},
		"keycap":                    {"1\ufe0f\u20e3", "1\ufe0f\u20e3"},
		"Persian":                   {"می\u200cخواهم", "می\u200cخواهم"},
		"Bengali":                   {"র\u200d\u09cdয", "র\u200d\u09cdয"},
		"Sinhala":                   {"ශ්\u200dරී", "ශ්\u200dරී"},
		"joiners in ASCII":          {"a\u200db\u200cc", "abc"},
		"joiners at ends":           {"\u200d👩\u200d", "👩"},
		"joiners before a line end": {"👩\u200d\n\u200d👩", "👩\n👩"},
		"a row of joiners":          {"👩\u200d\u200c\u200d\u200d👩", "👩\u200d👩"},
		"a joiner hides a mark":     {"e\u200d\u0301", "\u00e9"},
		"selectors in ASCII":        {"a\ufe0fb\ufe0e", "ab"},
		"a row of selectors":        {"🙂\ufe0f\ufe0f\U000e0100\U000e0101", "🙂\ufe0f"},
		"Han variant":               {"葛\U000e0100城", "葛\U000e0100城"},
		"60 marks":                  {"a" + strings.Repeat("\u0316", 60) + "b", "a" + strings.Repeat("\u0316", maxMarks) + "b"},
		"60 marks with joiners":     {"ü" + strings.Repeat("\u200d\u0316", 60), "ü" + strings.Repeat("\u200d\u0316", maxMarks-1)},
		"marks that compose":        {"ǖ\u0323\u0323\u0323\u0323", "\u1ee5\u0323\u0323\u0323"},
		"marks on nothing":          {"\u0301a\n\u0301b\t\u0301c", "a\nb\tc"},
		"Vietnamese":                {"ệ ở ẵ", "ệ ở ẵ"},
		"Hebrew with points":        {"בְּרֵאשִׁ֖ית", norm.NFC.String("בְּרֵאשִׁ֖ית")},
		"Thai":                      {"ที่นี่", "ที่นี่"},
		"Myanmar":                   {"ကြွော်", "ကြွော်"},
		"Korean":                    {"\u1112\u1161\u11ab국", "한국"},
		"Devanagari":                {"क्षत्रिय हिन्दी", "क्षत्रिय हिन्दी"},
		"Arabic number sign":        {"\u0600١٢", "\u0600١٢"},
		"annotations":               {"a\ufff9b\ufffac\ufffbd", "abcd"},
		"musical format characters": {"a\U0001d173b", "ab"},
		"shorthand format":          {"a\U0001bca0b", "ab"},
		"40 marks that are spaced":  {"\u1100" + strings.Repeat("\u302e", 40), "\u1100" + strings.Repeat("\u302e", maxMarks)},
	} {
		t.Run(name, func(t *testing.T) {
			got, cut := CleanText(c.in)
			if got != c.want || cut {
				t.Errorf("%+q\nbecame %+q\nwant   %+q, cut %v", c.in, got, c.want, cut)
			}
			checkClean(t, got)
		})
	}
}

func TestCleanTextCuts(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want int // bytes
		cut  bool
	}{
		"most text":                  {strings.Repeat("x", MaxText), MaxText, false},
		"a byte more":                {strings.Repeat("x", MaxText+1), MaxText, true},
		"much more":                  {strings.Repeat("é\n", 1<<16), 3*MaxLines - 1, true},
		"most lines":                 {strings.Repeat("x\n", MaxLines-1) + "x", 2*MaxLines - 1, false},
		"a line more":                {strings.Repeat("x\n", MaxLines), 2*MaxLines - 1, true},
		"lines of all kinds":         {strings.Repeat("\u2028", 2*MaxLines), MaxLines - 1, true},
		"through a rune":             {strings.Repeat("x", MaxText-1) + "é", MaxText - 1, true},
		"through a mark":             {strings.Repeat("x", MaxText-1) + "q\u0301\u0302", MaxText - 1, true},
		"before a joiner":            {strings.Repeat("x", MaxText-4) + "👩\u200d👩", MaxText - 4, true},
		"after a joiner":             {strings.Repeat("x", MaxText-7) + "👩\u200d👩", MaxText - 3, true},
		"a text of marks is no text": {strings.Repeat("\u0301", MaxText), 0, false},
		"nothing for long":           {strings.Repeat("\x00", 4*MaxText) + "x", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, cut := CleanText(c.in)
			if len(got) != c.want || cut != c.cut {
				t.Errorf("%d bytes, cut %v, want %d, %v; ends in %+q", len(got), cut, c.want, c.cut, got[max(0, len(got)-20):])
			}
			checkClean(t, got)
		})
	}
}

// checkClean fails the test where what CleanText returned could do something to a terminal, or would be cleaned once more.
func checkClean(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) {
		t.Errorf("not in NFC: %+q", s)
	}
	if len(s) > MaxText || strings.Count(s, "\n") >= MaxLines {
		t.Errorf("%d bytes, %d line ends", len(s), strings.Count(s, "\n"))
	}
	marks := 0
	for _, r := range norm.NFD.String(s) {
		switch {
		case r == '\n' || r == '\t':
		case unicode.Is(unicode.Cc, r),
			r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff, // by number: the tables could be wrong
			r >= 0xe0000 && r < 0xe0100, r == 0x034f, r == 0x3164:
			t.Errorf("%U in %+q", r, s)
		}
		switch {
		case isMark(r) && !isSelector(r):
			if marks++; marks > maxMarks {
				t.Errorf("%d marks in %+q", marks, s)
			}
		case !isJoiner(r) && !isSelector(r):
			marks = 0
		}
	}
	if again, cut := CleanText(s); again != s || cut {
		t.Errorf("cleaned again %+q\nbecame        %+q, cut %v", s, again, cut)
	}
}

// Whatever characters with rules of their own stand beside each other, what comes out is clean and stays as it is.
func TestCleanTextMixed(t *testing.T) {
	odd := []rune("aeu \n1#éǖệक़ק\u200c\u200d\u200b\u034f\ufe0f\U000e0100\u180b\u0301\u0308\u0304\u0316\u0323\u0327\u0345\u0344\u093c\u094d\u09be\u09c7\u3099か" +
		"\u1100\u1161\u11a8\u1160\u302e\u0f71\u0f72\u0f73\u20e3\u0600👩🏽❤\U0001d15e\U0001d165\u202e\r\u2028\u212b\u05e9\u05c1\u05bc\uf900")
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		s := make([]rune, random.IntN(40))
		for i := range s {
			s[i] = odd[random.IntN(len(odd))]
		}
		clean, _ := CleanText(string(s))
		if checkClean(t, clean); t.Failed() {
			t.Fatalf("from %+q", string(s))
		}
	}
}

func BenchmarkCleanText(b *testing.B) {
	for name, s := range map[string]string{
		"ASCII": strings.Repeat("good morning ", 8),
		"mixed": strings.Repeat("schöne Grüße 👩\u200d👩\u200d👧 ", 4),
		"worst": strings.Repeat("\u0344\u200d", 12<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				CleanText(s)
			}
		})
	}
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{
		"plain", "\x1b]52;c;x\x07", "a\r\n\u2028\u202eb", "👩\u200d❤\ufe0f\u200d👩🏽", "1\ufe0f\u20e3", "ǖ\u200d\u0323\u0316\ufe0f\u0323\u0300",
		"\u1100\u1161\u200c\u11a8", "র\u200d\u09cdয", "\U0001d15e\U0001d165\U0001d16e", strings.Repeat("e\u0301\u200c", 2000), "\u0f71\u0f72\u0f74\u0f80", "\xff\u0344\u0345",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, _ := CleanText(s)
		checkClean(t, clean)
	})
}

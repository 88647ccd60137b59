package command

import (
	"fmt"
	"strings"

	"earshot/node"
)

// code begins what a person's QR code holds (node.Whois.Code), in any letter case.
const code = "earshot:verify:"

// whois says what is known of someone.
func whois(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "who?")
	}
	w, err := at.Whois(args)
	if err != nil {
		return Action{}, err
	}
	p := w.Person
	p.Warning = "" // below
	line := p.Nick
	if words := About(p); words != "" {
		line += ": " + words
	} else if w.Gone {
		line += ": not here"
	}
	lines := []string{line}
	add := func(is bool, text string) {
		if is {
			lines = append(lines, "  "+text)
		}
	}
	add(w.Warning != "", "careful: "+w.Nick+" "+w.Warning)
	add(true, "fingerprint "+w.ID.Fingerprint())
	add(!w.Verified && !w.Me, "not verified; /verify "+w.Nick+" makes sure of it")
	add(w.Ignored, "ignored; /unignore "+w.Nick+" changes it")
	add(len(w.Address) > 0, "at "+strings.Join(w.Address, ", "))
	add(w.Machines > 1, fmt.Sprintf("on %d machines", w.Machines))
	add(len(w.Nicks) > 0, "was also called "+strings.Join(w.Nicks, ", "))
	add(!w.First.IsZero() && !w.Me, "met first "+stamp(w.First))
	add(w.Gone && !w.Last.IsZero(), "seen last "+stamp(w.Last))
	return Action{Lines: lines}, nil
}

// fingerprint shows the user's own, or someone else's.
func fingerprint(_ Spec, args string, at At) (Action, error) {
	if args == "" {
		w, err := at.Whois(at.Snapshot.Me.ID.Fingerprint())
		if err != nil {
			return Action{}, err
		}
		return Action{Lines: append([]string{"your fingerprint is " + w.ID.Fingerprint()}, spelled(w)...), QR: w.Code}, nil
	}
	w, err := at.Whois(args)
	if err != nil {
		return Action{}, err
	}
	return Action{Lines: append([]string{"the fingerprint of " + w.Nick + " is " + w.ID.Fingerprint()}, spelled(w)...)}, nil
}

// verify compares a fingerprint that someone read aloud, or says how that is done.
func verify(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{}, usage(spec, "whom?")
	}
	person, read := split(args)
	if strings.HasPrefix(strings.ToLower(args), code) {
		read = person // a scanned code says whose it is
	}
	w, err := at.Whois(person)
	switch {
	case err != nil:
		return Action{}, err
	case read != "":
		return Action{Do: node.Verify{Person: person, Fingerprint: read}, Lines: []string{w.Nick + " is verified: whoever has this fingerprint is the one you compared it with"}}, nil
	case w.Me:
		return Action{}, &node.Error{Text: "that is you", Hint: "/fingerprint shows what others compare"}
	}
	me, err := at.Whois(at.Snapshot.Me.ID.Fingerprint())
	if err != nil {
		return Action{}, err
	}
	lines := []string{"compare fingerprints with " + w.Nick + " face to face, or by a voice you know; each reads their own aloud, from their own screen"}
	lines = append(append(lines, "yours, for you to read:"), spelled(me)...)
	lines = append(append(lines, "what "+w.Nick+" must read:"), spelled(w)...)
	return Action{Lines: append(lines,
		"then type what "+w.Nick+" read: /verify "+w.Nick+" XXXX-XXXX-…",
		"the QR code is yours: what it holds, scanned and pasted behind /verify, does the same there"), QR: me.Code}, nil
}

// spelled is a fingerprint with how to say it (the ICAO alphabet), two groups a line.
func spelled(w node.Whois) (lines []string) {
	groups := strings.Split(w.ID.Fingerprint(), "-")
	for i := 0; i < len(groups); i += 2 {
		both := groups[i:min(i+2, len(groups))]
		var said []string
		for _, g := range both {
			said = append(said, spell(g))
		}
		lines = append(lines, "  "+strings.Join(both, "-")+"  "+strings.Join(said, ", "))
	}
	return lines
}

func spell(group string) string {
	const letters = "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey x-ray yankee zulu"
	const digits = "zero one two three four five six seven eight nine"
	var words []string
	for _, r := range group {
		switch {
		case r >= 'A' && r <= 'Z':
			words = append(words, strings.Fields(letters)[r-'A'])
		case r >= '0' && r <= '9':
			words = append(words, strings.Fields(digits)[r-'0'])
		}
	}
	return strings.Join(words, " ")
}

func unverify(spec Spec, args string, _ At) (Action, error) {
	return mark(spec, args, node.Unverify{Person: args}, args+" is not verified any more")
}

func ignore(spec Spec, args string, at At) (Action, error) {
	if args == "" {
		return Action{Lines: Ignored(at.Snapshot)}, nil
	}
	return mark(spec, args, node.Ignore{Person: args}, "nothing that "+args+" says or does is shown; /unignore "+args+" changes it")
}

func unignore(spec Spec, args string, _ At) (Action, error) {
	return mark(spec, args, node.Unignore{Person: args}, "what "+args+" says is shown again")
}

// mark is a command that changes what the user makes of someone.
func mark(spec Spec, person string, c node.Command, answer string) (Action, error) {
	if person == "" {
		return Action{}, usage(spec, "whom?")
	}
	return Action{Do: c, Lines: []string{answer}}, nil
}

// Ignored lists whom the user ignores.
func Ignored(s node.Snapshot) []string {
	if len(s.Ignored) == 0 {
		return []string{"you ignore nobody; /ignore PERSON hides what someone says and does"}
	}
	rows := [][2]string{}
	for _, p := range s.Ignored {
		about := "here"
		if p.Gone {
			about = "not here"
		}
		rows = append(rows, [2]string{p.Nick, about})
	}
	return append([]string{"you ignore:"}, columns(rows)...)
}

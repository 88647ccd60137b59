package cli

import "earshot/node/message"

// nearestHint asks whether the name most like the misspelt one was meant; else it says where all of them are listed.
func nearestHint(prefix, name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := message.Edits(name, k); d < min(least, len(name)) { // else every letter is another
			best, least = k, d
		}
	}
	if best == "" {
		return "earshot --help lists what there is"
	}
	return "did you mean " + prefix + best + "?"
}

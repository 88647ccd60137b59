package cli

// nearestHint asks whether the name most like the misspelt one was meant; else it says where all of them are listed.
func nearestHint(prefix, name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return "earshot --help lists what there is"
	}
	return "did you mean " + prefix + best + "?"
}

// distance counts the bytes to insert, delete or replace (Levenshtein), in one row of the table. What is longer than any name is far from all.
func distance(a, b string) int {
	const longest = 32
	if len(a) > longest {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

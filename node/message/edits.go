package message

// Edits counts the letters to insert, delete, replace or swap with their neighbour that make one name of another: what was meant by one that nothing has is likely what is a few away. Its time grows with
// the product of their lengths.
func Edits(a, b string) int {
	from, to := []rune(a), []rune(b)
	last, before, row := make([]int, len(to)+1), make([]int, len(to)+1), make([]int, len(to)+1) // of the table: of one letter of a less, of two less, and this one
	for j := range last {
		last[j] = j
	}
	for i, r := range from {
		row[0] = i + 1
		for j, s := range to {
			same := last[j]
			if r != s {
				same++
			}
			row[j+1] = min(same, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && r == to[j-1] && from[i-1] == s {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		last, before, row = row, last, before
	}
	return last[len(to)]
}

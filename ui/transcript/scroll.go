package transcript

import "slices"

// index returns where an entry stands, or 0.
func (l *List) index(e *entry) int { return max(slices.Index(l.entries, e), 0) }

// Scroll moves the view by n rows, up where n is negative.
func (l *List) Scroll(n int) {
	l.wanted = l.wanted || n < 0 && len(l.entries) == 0
	if len(l.entries) == 0 || l.height == 0 {
		return
	}
	i, row := l.top()
	up := n < 0
	for ; n < 0 && (i > 0 || row > 0); n++ {
		if row--; row < 0 {
			i--
			row = len(l.rows(i)) - 1
		}
	}
	for ; n > 0; n-- {
		if row++; row >= len(l.rows(i)) {
			if i == len(l.entries)-1 {
				break
			}
			i, row = i+1, 0
		}
	}
	l.wanted = l.wanted || up && i <= l.near()
	l.lookAt(i, row)
}

// Fill asks for what was said before, where less than a screenful is kept.
func (l *List) Fill() { l.wanted = l.wanted || len(l.entries) < l.near() }

// Page moves the view by n screens, less one row for the eye to hold on to.
func (l *List) Page(n int) { l.Scroll(n * max(l.height-2, 1)) }

// Home goes to the first line of all: to the oldest that is kept until that has come.
func (l *List) Home() {
	if len(l.entries) > 0 && l.height > 0 {
		l.lookAt(0, 0)
	}
	if l.goal = nil; !l.exhausted {
		l.goal = &Want{Kind: First}
	}
}

// End goes to the newest.
func (l *List) End() { l.follow, l.below, l.anchor, l.goal = true, 0, nil, nil }

// lookAt puts a row at the top, or follows where that shows the end.
func (l *List) lookAt(i, row int) {
	if bi, brow := l.bottom(); i > bi || i == bi && row >= brow {
		if !l.cutOff {
			l.End()
			return
		}
		i, row = bi, brow // there is more to come
	}
	rows := l.rows(i)
	body := row - l.entries[i].drawn.decor
	l.follow, l.anchor, l.anchorRow, l.anchorAt = false, l.entries[i], min(body, 0), 0
	if body >= 0 {
		l.anchorAt = rows[row].start
	}
}

// bottom returns the top row of a view whose last row is the newest.
func (l *List) bottom() (i, row int) {
	left := l.height
	for i := len(l.entries) - 1; i >= 0; i-- {
		if left -= len(l.rows(i)); left <= 0 {
			return i, -left
		}
	}
	return 0, 0
}

// top returns the row that is at the top now.
func (l *List) top() (i, row int) {
	if l.follow {
		return l.bottom()
	}
	i = slices.Index(l.entries, l.anchor)
	if i < 0 { // it was let go
		return 0, 0
	}
	rows := l.rows(i)
	row = l.entries[i].drawn.decor + l.anchorRow
	if l.anchorRow == 0 {
		for row+1 < len(rows) && rows[row+1].start > rows[row].start && rows[row+1].start <= l.anchorAt {
			row++
		}
	}
	return i, min(max(row, 0), len(rows)-1)
}

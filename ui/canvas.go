package ui

import (
	"unicode"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
)

// canvas is a screen that is drawn anew each time, and of which the terminal gets the rows that became different. tcell sends whatever was cleared and drawn, the same or not: in a large window ten
// kilobytes for each key, which can be felt over a slow link. Rows go whole, for a terminal may take more cells for a cluster than it has, and so spoil what stands behind it.
type canvas struct {
	tcell.Screen
	drawn tcell.CellBuffer
	anew  bool // all rows are to be sent
}

// Sync has the terminal get all that there is once more.
func (c *canvas) Sync() {
	c.Screen.Sync()
	c.anew = true
}

func (c *canvas) Clear() {
	c.drawn.Resize(c.Size())
	c.drawn.Fill(' ', tcell.StyleDefault)
}

// Put has the first rune stand for a cluster that might run over the edge, and a blank for one that text is drawn over the second cell of, which tcell would leave out.
func (c *canvas) Put(x, y int, text string, style tcell.Style) (rest string, width int) {
	if _, beside, width := c.drawn.Get(x-1, y); width > 1 {
		c.drawn.Put(x-1, y, " ", beside)
	}
	if w, _ := c.drawn.Size(); len(text) >= utf8.UTFMax && x+most(text) > w {
		_, n := utf8.DecodeRuneInString(text)
		text = text[:n]
	}
	return c.drawn.Put(x, y, text, style)
}

func (c *canvas) SetContent(x, y int, first rune, others []rune, style tcell.Style) {
	c.Put(x, y, string(append([]rune{first}, others...)), style)
}

func (c *canvas) Get(x, y int) (text string, style tcell.Style, width int) { return c.drawn.Get(x, y) }

func (c *canvas) GetContent(x, y int) (first rune, others []rune, style tcell.Style, width int) {
	text, style, width := c.Get(x, y)
	if all := []rune(text); len(all) > 0 {
		first, others = all[0], all[1:]
	} // otherwise it is off the screen
	return first, others, style, width
}

// Show sends the rows that became different. What stands behind a cluster that may be wider than one cell is shown after it, since tcell says where it belongs only then.
func (c *canvas) Show() {
	w, h := c.drawn.Size()
	from := make([]int, h) // what of each row is yet to be shown
	for y := range h {
		from[y] = w
		for x := range w {
			text, style, _ := c.Get(x, y)
			if was, wasStyle, _ := c.Screen.Get(x, y); c.anew || was != text || wasStyle != style {
				from[y] = 0
				break
			}
		}
	}
	c.anew = false
	for more := true; more; {
		more = false
		for y, x := range from {
			from[y] = c.send(x, y, w)
			more = more || from[y] < w
		}
		c.Screen.Show()
	}
}

// send has the terminal get a row of w cells from x on, up to behind a cluster that may run over what follows, and returns where that is.
func (c *canvas) send(x, y, w int) int {
	for over := x > 0; x < w; x++ {
		text, style, width := c.Get(x, y)
		if text != " " { // what does not become different is not sent
			c.Screen.Put(x, y, " ", style)
		} else if over {
			c.Screen.Put(x, y, "x", style)
		}
		c.Screen.Put(x, y, text, style)
		if len(text) < utf8.UTFMax || most(text) == width { // what is shorter takes the cells of its first letter, whatever marks it has
			continue
		}
		if over = true; width == 1 { // behind two cells tcell says where it is by itself
			return x + 1
		}
	}
	return w
}

// most is how many cells a cluster takes on a terminal that shows each of its runes by itself, and a sign that is to be a picture as one.
func most(cluster string) (cells int) {
	for _, r := range cluster {
		switch n := uniseg.StringWidth(string(r)); {
		case r >= 0x1f3fb && r <= 0x1f3ff: // skin tones
			cells += 2
		case r == 0xfe0f, n == 0 && !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
			cells++
		default:
			cells += n
		}
	}
	return cells
}

package ui

import "github.com/gdamore/tcell/v2"

// canvas is a screen that is drawn anew each time, and of which the terminal gets the rows that became different. tcell sends whatever was cleared and drawn, the same or not: in a large window ten
// kilobytes for each key, which can be felt over a slow link. Rows go whole, for a terminal may take more cells for a cluster than it has, and so spoil what stands behind it.
type canvas struct {
	tcell.Screen
	drawn tcell.CellBuffer
}

func (c *canvas) Clear() {
	c.drawn.Resize(c.Size())
	c.drawn.Fill(' ', tcell.StyleDefault)
}

func (c *canvas) Put(x, y int, text string, style tcell.Style) (rest string, width int) {
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

func (c *canvas) Show() {
	w, h := c.drawn.Size()
	for y := range h {
		for x := range w {
			text, style, _ := c.Get(x, y)
			if was, wasStyle, _ := c.Screen.Get(x, y); was != text || wasStyle != style {
				c.send(y, w)
				break
			}
		}
	}
	c.Screen.Show()
}

// send has the terminal get a row of w cells whole.
func (c *canvas) send(y, w int) {
	for x := range w {
		text, style, _ := c.Get(x, y)
		c.Screen.Put(x, y, " ", style) // what does not become different is not sent
		c.Screen.Put(x, y, text, style)
	}
}

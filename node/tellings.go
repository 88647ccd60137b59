package node

import "earshot/node/message"

// toldKept bounds the messages remembered as told: what may come again with another gathering is what was said since this one was entered.
const toldKept = 32 << 10

// tellings are the newest messages told, whatever the gathering, in two generations: toldKept at least, and fewer than twice as many. True: with something that became of them.
type tellings struct{ young, old map[message.ID]bool }

func newTellings() tellings { return tellings{map[message.ID]bool{}, map[message.ID]bool{}} }

func (t *tellings) find(id message.ID) (became, told bool) {
	if became, told = t.young[id]; !told {
		became, told = t.old[id]
	}
	return became, told
}

func (t *tellings) put(id message.ID, became bool) {
	t.young[id] = became
	if len(t.young) == toldKept {
		t.young, t.old = t.old, t.young
		clear(t.young)
	}
}

func (t *tellings) forget(id message.ID) {
	delete(t.young, id)
	delete(t.old, id)
}

package ui

import (
	"context"

	"earshot/ui/plain"
)

// export has the history of a room written to a file, however long that takes, and says in the room where it is.
func (a *app) export(r *room, file string) {
	a.errands = append(a.errands, func(ctx context.Context) {
		answer, err := plain.Export(ctx, a.node, r.name, file)
		a.report(ctx, func() {
			if err != nil {
				a.fail(err)
				return
			}
			r.list.Answer(a.now(), answer)
		})
	})
}

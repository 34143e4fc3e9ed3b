package worker

import (
	"context"

	"faust/runtime/control"
)

// door is the worker's socket in its slot.
type door struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// takeSlot takes the slot. Without a broker nothing depends on it: a worker that cannot have it is only not found by others.
func (r *run) takeSlot() (*slot, error) {
	if r.set.Datadir == "" {
		return nil, nil
	}
	s, err := openSlot(r.set.Datadir, r.set.GroupID())
	if err != nil && !r.needsBroker() {
		r.log.Warn("this worker cannot be looked into through its data directory", "err", err)
		return nil, nil
	}
	return s, err
}

// openDoor makes the socket and serves; nil: there is none.
func (r *run) openDoor() *door {
	if r.slot == nil {
		return nil
	}
	listen := r.cfg.Socket
	if listen == nil {
		listen = control.Listen
	}
	l, err := listen(r.slot.dir)
	if err != nil {
		r.log.Warn("this worker cannot be looked into through its data directory", "err", err)
		return nil
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.soft))
	d := &door{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		if err := r.api.Serve(ctx, l); err != nil {
			r.log.Error("socket of the worker", "err", err)
		}
	}()
	return d
}

// close ends what is being answered and removes the socket.
func (d *door) close() {
	if d != nil {
		d.cancel()
		<-d.done
	}
}

package cli

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// errUnread is why something ends whose output nobody reads any more.
var errUnread = errors.New("nobody reads the output any more")

// watchReader gives a context that ends when standard output is a pipe that was closed on the other side (`| head`), which is only seen otherwise when
// the next message is written. The caller calls the function when it is done.
func (s *session) watchReader(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := func() { cancel(nil) }
	f, ok := fileOf(s.Stdout)
	if !ok {
		return ctx, stop
	}
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return ctx, stop
	}
	fd := int32(f.Fd())
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			poll := []unix.PollFd{{Fd: fd}}
			if n, err := unix.Poll(poll, 0); err == nil && n > 0 && poll[0].Revents&unix.POLLERR != 0 {
				cancel(errUnread)
				return
			}
		}
	}()
	return ctx, stop
}

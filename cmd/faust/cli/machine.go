package cli

import (
	"fmt"
	"strings"
	"time"

	"faust/luabind/vm"
	"faust/runtime/control"
	"faust/runtime/worker"
)

// machine is a Lua machine as a worker sees it.
type machine struct{ vm *vm.VM }

var _ worker.Machine = machine{}

// Holder tells which task runs Lua since when, and where in the script.
func (m machine) Holder() (task, place string, since time.Time, ok bool) {
	t, ok := m.vm.Holder()
	if ok && len(t.Stack) > 0 {
		place = t.Stack[0].Place.String()
	}
	return t.Name, place, t.Since, ok
}

// Dump writes every task: what it does, since when, and its Lua stack.
func (m machine) Dump() string {
	var b strings.Builder
	for _, t := range m.vm.Tasks() {
		fmt.Fprintf(&b, "%s: %s", t.Name, t.State)
		if t.What != "" {
			fmt.Fprintf(&b, " for %s", t.What)
		}
		if !t.Since.IsZero() {
			fmt.Fprintf(&b, ", %s", time.Since(t.Since).Round(time.Millisecond))
		}
		b.WriteByte('\n')
		for _, f := range t.Stack {
			fmt.Fprintf(&b, "  %s  %s\n", f.What, f.Place)
		}
	}
	return b.String()
}

// Tasks tells where every task stands.
func (m machine) Tasks() []control.Task {
	var list []control.Task
	for _, t := range m.vm.Tasks() {
		task := control.Task{Name: t.Name, State: t.State, What: t.What, Since: t.Since}
		for _, f := range t.Stack {
			task.Stack = append(task.Stack, strings.TrimSpace(f.What+"  "+f.Place.String()))
		}
		list = append(list, task)
	}
	return list
}

// pending names every task and what it waits for.
func (m machine) pending() []string {
	var list []string
	for _, t := range m.vm.Tasks() {
		text := t.Name
		switch {
		case t.What != "":
			text += fmt.Sprintf(" (%s, %.1fs)", t.What, time.Since(t.Since).Seconds())
		case len(t.Stack) > 0:
			text += fmt.Sprintf(" (%s)", t.Stack[0].Place)
		}
		list = append(list, text)
	}
	return list
}

package console

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
)

// grid is a value as rows and columns.
type grid struct {
	columns []string
	rows    [][]lua.LValue // nil: nothing stands there
	more    int            // rows that are left out
	cell    func(v lua.LValue) string
}

const (
	gap       = 2  // between columns
	leastCell = 6  // columns are not made narrower
	mostCell  = 60 // nor wider, if there are others
)

// records gives a list of records, or of flat tables, as a table if it fits the width.
func (s *session) records(v lua.LValue, view view) (string, bool) {
	t, ok := v.(*lua.LTable)
	if !ok || t.RawGetInt(2) == lua.LNil {
		return "", false
	}
	count := 0
	for k, item := t.Next(lua.LNil); k != lua.LNil; k, item = t.Next(k) {
		count++
		if _, isNumber := k.(lua.LNumber); !isNumber || count <= shownItems && !flat(item) {
			return "", false
		}
	}
	if t.RawGetInt(count) == lua.LNil {
		return "", false // it has holes
	}
	g := s.grid(v, view)
	if len(g.columns) < 2 || g.width(g.widths()) > view.width {
		return "", false
	}
	return g.draw(view), true
}

// flat tells whether an item of a list can be a row: a record, or a table of texts and numbers with names.
func flat(v lua.LValue) bool {
	if _, ok := record.ObjectOf(v); ok {
		return true
	}
	t, ok := v.(*lua.LTable)
	if !ok || t.Metatable != lua.LNil {
		return false
	}
	n := 0
	for k, item := t.Next(lua.LNil); k != lua.LNil; k, item = t.Next(k) {
		_, named := k.(lua.LString)
		_, nested := item.(*lua.LTable)
		_, code := item.(*lua.LFunction)
		if n++; !named || nested || code || n > 30 {
			return false
		}
	}
	return n > 0
}

// grid takes a value apart: a list of records or tables has their fields as columns, other lists have one, other tables two.
func (s *session) grid(v lua.LValue, view view) *grid {
	g := &grid{cell: s.cellText}
	limit := view.items
	if view.all || view.form == "csv" {
		limit = 1 << 30
	}
	t, ok := v.(*lua.LTable)
	switch members, ours := s.cfg.App.Members(v); {
	case ours && ok:
		t = listed(members).(*lua.LTable)
	case !ok:
		if o, isRecord := record.ObjectOf(v); isRecord {
			g.columns = []string{"field", "value"}
			for i, f := range o.Schema().Fields {
				g.add(limit, lua.LString(f.Name), o.Field(i))
			}
			return g
		}
		g.columns = []string{"value"}
		g.add(limit, v)
		return g
	}
	if t.RawGetInt(1) == lua.LNil {
		g.columns = []string{"key", "value"}
		for _, k := range sortedKeys(t) {
			g.add(limit, k, t.RawGet(k))
		}
		return g
	}
	g.list(t, limit)
	return g
}

func (g *grid) add(limit int, cells ...lua.LValue) {
	if len(g.rows) >= limit {
		g.more++
		return
	}
	g.rows = append(g.rows, cells)
}

// list makes rows of the items of a list.
func (g *grid) list(t *lua.LTable, limit int) {
	place, fields := map[string]int{}, true
	var items []lua.LValue
	for i := 1; ; i++ {
		v := t.RawGetInt(i)
		if v == lua.LNil {
			break
		}
		if len(items) == limit {
			g.more = t.Len() - limit
			break
		}
		items = append(items, v)
		names := fieldsOf(v)
		fields = fields && len(names) > 0
		for _, name := range names {
			if _, ok := place[name]; !ok {
				place[name] = len(g.columns)
				g.columns = append(g.columns, name)
			}
		}
	}
	if !fields || len(items) == 0 { // something in it is a value by itself
		g.columns = []string{"#", "value"}
		for i, v := range items {
			g.rows = append(g.rows, []lua.LValue{lua.LNumber(i + 1), v})
		}
		return
	}
	for _, v := range items {
		row := make([]lua.LValue, len(g.columns))
		for _, name := range fieldsOf(v) {
			row[place[name]] = fieldOf(v, name)
		}
		g.rows = append(g.rows, row)
	}
}

// fieldsOf gives the names of the fields of a record in their order, of a table sorted; none: v has no fields.
func fieldsOf(v lua.LValue) []string {
	var names []string
	if o, ok := record.ObjectOf(v); ok {
		for _, f := range o.Schema().Fields {
			names = append(names, f.Name)
		}
		return names
	}
	if t, ok := v.(*lua.LTable); ok {
		for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
			if name, ok := k.(lua.LString); ok {
				names = append(names, string(name))
			}
		}
		slices.Sort(names)
	}
	return names
}

func fieldOf(v lua.LValue, name string) lua.LValue {
	if o, ok := record.ObjectOf(v); ok {
		return o.Field(o.Schema().Index(name))
	}
	return v.(*lua.LTable).RawGetString(name)
}

func sortedKeys(t *lua.LTable) []lua.LValue {
	var keys []lua.LValue
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		keys = append(keys, k)
	}
	slices.SortStableFunc(keys, func(a, b lua.LValue) int {
		x, isNumber := a.(lua.LNumber)
		if y, ok := b.(lua.LNumber); ok && isNumber {
			return int(min(1, max(-1, x-y)))
		}
		if a.Type() != b.Type() {
			return int(a.Type()) - int(b.Type())
		}
		return strings.Compare(lua.LVAsString(a), lua.LVAsString(b))
	})
	return keys
}

// cellText writes a value in one line, texts without quotes.
func (s *session) cellText(v lua.LValue) string {
	switch x := v.(type) {
	case nil, *lua.LNilType:
		return ""
	case lua.LString:
		text := s.cfg.Registry.InspectAs(x, record.View{})
		if inner := text[1 : len(text)-1]; strings.ReplaceAll(strings.ReplaceAll(inner, `\"`, `"`), `\\`, `\`) == string(x) {
			return string(x) // nothing in it that a terminal would obey
		}
		return text
	}
	limits := view{width: 1 << 20, items: shownItems, text: shownText}.limits()
	limits.More = ""
	return s.cfg.Registry.InspectAs(v, limits)
}

// widths gives the natural width of each column.
func (g *grid) widths() []int {
	widths := make([]int, len(g.columns))
	for i, name := range g.columns {
		widths[i] = max(1, fault.Width(name))
	}
	for _, row := range g.rows {
		for i, v := range row {
			widths[i] = max(widths[i], fault.Width(g.cell(v)))
		}
	}
	return widths
}

func (g *grid) width(widths []int) int {
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// fit makes the widest columns narrower until all fit, or gives up the last columns.
func (g *grid) fit(width int) (widths []int, dropped []string) {
	widths = g.widths()
	if len(widths) > 1 {
		for i := range widths {
			widths[i] = min(widths[i], max(mostCell, width/2))
		}
	}
	for g.width(widths) > width {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] > leastCell {
			widths[widest]--
			continue
		}
		if len(widths) == 1 {
			break
		}
		dropped = append([]string{g.columns[len(widths)-1]}, dropped...)
		widths = widths[:len(widths)-1]
	}
	return widths, dropped
}

// draw writes the grid within the width of the view.
func (g *grid) draw(view view) string {
	widths, dropped := g.fit(view.width)
	var b strings.Builder
	line := func(cells func(i int) (text string, right bool)) {
		var l strings.Builder
		for i, w := range widths {
			if i > 0 {
				l.WriteString(strings.Repeat(" ", gap))
			}
			text, right := cells(i)
			text = cutTo(text, w)
			pad := strings.Repeat(" ", max(0, w-fault.Width(text)))
			if right {
				l.WriteString(pad + text)
			} else {
				l.WriteString(text + pad)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	right := g.numeric()
	line(func(i int) (string, bool) { return g.columns[i], right[i] })
	for _, row := range g.rows {
		line(func(i int) (string, bool) { return g.cell(row[i]), right[i] })
	}
	if g.more > 0 {
		fmt.Fprintf(&b, "… %d more%s\n", g.more, allHint)
	}
	if len(dropped) > 0 {
		fmt.Fprintf(&b, "not shown: %s\n", strings.Join(dropped, ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// numeric tells which columns have numbers only.
func (g *grid) numeric() []bool {
	right := make([]bool, len(g.columns))
	for i := range right {
		for _, row := range g.rows {
			if row[i] == nil || row[i] == lua.LNil {
				continue
			}
			if _, right[i] = row[i].(lua.LNumber); !right[i] {
				break
			}
		}
	}
	return right
}

// cutTo cuts a text to so many columns.
func cutTo(text string, width int) string {
	if fault.Width(text) <= width {
		return text
	}
	n := 0
	for i, r := range text {
		w := fault.Width(string(r))
		if n+w > width-1 {
			return text[:i] + "…"
		}
		n += w
	}
	return text
}

// csv writes a value as comma-separated values with a line of names.
func (s *session) csv(L *lua.LState, v lua.LValue) string {
	g := s.grid(v, view{form: "csv"})
	var b strings.Builder
	w := csv.NewWriter(&b)
	// A strings.Builder takes everything.
	_ = w.Write(g.columns)
	for _, row := range g.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = s.csvCell(L, c)
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// csvCell writes texts and numbers as they are, what is nested as JSON.
func (s *session) csvCell(L *lua.LState, v lua.LValue) string {
	switch x := v.(type) {
	case nil, *lua.LNilType:
		return ""
	case lua.LString:
		return string(x)
	case *lua.LTable:
		return s.json(L, x, view{width: 1 << 30})
	case *lua.LUserData:
		switch _, isRecord := record.ObjectOf(x); {
		case isRecord:
			return s.json(L, x, view{width: 1 << 30})
		case s.cfg.Registry.IsNull(x):
			return ""
		}
	}
	return s.cellText(v)
}

package cli

import (
	"strings"

	"faust/luabind/fault"
)

// wrapped breaks a line at spaces, or in a word that is longer than a line, so that no line has more than room columns; all but the first begin with
// that many spaces.
func wrapped(text string, room, indent int) string {
	room = max(room, indent+8)
	line := []rune(text)
	var out strings.Builder
	for fault.Width(string(line)) > room {
		at := fitting(line, room)
		for i := at; i > indent; i-- {
			if line[i] == ' ' {
				at = i
				break
			}
		}
		out.WriteString(strings.TrimRight(string(line[:at]), " ") + "\n")
		line = []rune(strings.Repeat(" ", indent) + strings.TrimLeft(string(line[at:]), " "))
	}
	return out.String() + string(line)
}

// fitting is how many characters of a line that is too long fit into that many columns.
func fitting(line []rune, columns int) int {
	for i, r := range line {
		if columns -= fault.Width(string(r)); columns < 0 {
			return i
		}
	}
	return len(line)
}

// wrappedHelp fits help into room columns: what stands in a column stays there, where that leaves room for a few words, and lines of one text become one. What is below
// Examples: stays as it is, to be copied.
func wrappedHelp(text string, room int) string {
	lines := strings.Split(text, "\n")
	examples := false
	var out []string
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		examples = line == "Examples:" || examples && line != ""
		if examples || fault.Width(line) <= room {
			out = append(out, line)
			continue
		}
		hang := hanging(line)
		for i+1 < len(lines) && goesOn(lines[i+1], hang) {
			i++
			line += " " + strings.TrimSpace(lines[i])
		}
		const words = 16 // columns that are worth having for them
		if hang > leading(line) && hang > room-words {
			name, text := string([]rune(line)[:hang]), string([]rune(line)[hang:])
			out = append(out, strings.TrimRight(name, " "))
			hang = leading(name) + 4
			line = strings.Repeat(" ", hang) + text
		}
		out = append(out, wrapped(line, room, hang))
	}
	return strings.Join(out, "\n")
}

// leading is how many spaces a line begins with.
func leading(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// hanging is the column where the text of a line begins: after the first gap of two spaces or more, or else after the leading ones.
func hanging(line string) int {
	start := leading(line)
	runes := []rune(line)
	for i := start; i+2 < len(runes); i++ {
		if runes[i] == ' ' && runes[i+1] == ' ' {
			for runes[i] == ' ' {
				i++
			}
			return i
		}
	}
	return start
}

// goesOn tells whether a line belongs to the text above, which begins in that column.
func goesOn(line string, column int) bool {
	return line != "" && leading(line) == column && hanging(line) == column
}

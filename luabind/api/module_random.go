package api

var randomEntries = []Entry{
	{
		Name: "random", Kind: Module,
		Text:    "Random numbers, choices and bytes.",
		Example: `print(random.int(1, 6) <= 6)  --> true`,
		See:     []string{"random.int", "random.weighted", "random.seed", "uuid"},
	},
	{
		Name: "random.int", Kind: Function,
		Params: []Param{
			{Name: "low", Type: Whole, Optional: true, Text: "the lower bound; 1 if only one bound is given"},
			{Name: "high", Type: Whole, Text: "the upper bound, which is included"},
		},
		Returns: []Return{{Type: Number}},
		Text:    "Gives a whole number between two bounds, both included.",
		Example: `local n = random.int(1, 6)
print(n >= 1 and n <= 6)  --> true`,
		See: []string{"random.float"},
	},
	{
		Name: "random.float", Kind: Function,
		Params: []Param{
			{Name: "low", Type: Number, Optional: true, Text: "the lower bound; 0 if both are left out"},
			{Name: "high", Type: Number, Optional: true, Text: "the upper bound, which is not included; 1 if both are left out"},
		},
		Returns: []Return{{Type: Number}},
		Text:    "Gives a number between two bounds, the upper one not included.",
		Example: `print(random.float() < 1, random.float(5, 6) >= 5)  --> true  true`,
		See:     []string{"random.int"},
	},
	{
		Name: "random.choice", Kind: Function,
		Params:  []Param{{Name: "list", Type: List, Text: "the list"}},
		Returns: []Return{{Type: Any}},
		Text:    "Gives one item of a list.",
		Example: `print(random.choice { 'only' })  --> only`,
		See:     []string{"random.weighted", "random.shuffle"},
	},
	{
		Name: "random.weighted", Kind: Function,
		Params:  []Param{{Name: "weights", Type: Table, Text: "the table: name = weight"}},
		Returns: []Return{{Type: Any, Text: "one of the names"}},
		Text:    "Gives one of the names, as often as its weight says.",
		Example: `print(random.weighted { heads = 1, tails = 0 })  --> heads`,
		See:     []string{"random.choice"},
	},
	{
		Name: "random.shuffle", Kind: Function,
		Params:  []Param{{Name: "list", Type: List, Text: "the list"}},
		Returns: []Return{{Type: List, Text: "the same list"}},
		Text:    "Puts the items of a list in another order.",
		Example: `print(#random.shuffle { 1, 2, 3 })  --> 3`,
		See:     []string{"random.choice"},
	},
	{
		Name: "random.bytes", Kind: Function,
		Params:  []Param{{Name: "n", Type: Whole, Text: "the number of bytes"}},
		Returns: []Return{{Type: String}},
		Text:    "Gives random bytes; unless random.seed was called they are fit for secrets.",
		Example: `print(#random.bytes(16))  --> 16`,
		See:     []string{"random.seed", "uuid.new"},
	},
	{
		Name: "random.seed", Kind: Function,
		Params: []Param{{Name: "n", Type: Number, Text: "the seed"}},
		Text:   "Makes what follows the same for the same seed.",
		Example: `random.seed(7)
local n = random.int(1000)
random.seed(7)
print(random.int(1000) == n)  --> true`,
		See: []string{"random.int"},
	},
}

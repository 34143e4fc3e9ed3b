package api

var jsonEntries = []Entry{
	{
		Name: "json", Kind: Module,
		Text:    "Reads and writes JSON.",
		Example: `print(json.encode { id = 'o1', tags = { 'new' } })  --> {"id":"o1","tags":["new"]}`,
		See:     []string{"json.encode", "json.decode", "app.record"},
	},
	{
		Name: "json.encode", Kind: Function,
		Params:  []Param{{Name: "value", Type: Any, Text: "the value"}, optional},
		Options: []Option{{Name: "indent", Type: Whole, Max: 16, Default: "0", Text: "Write it over several lines, each level indented by so many spaces."}},
		Returns: []Return{{Type: String}},
		Text:    "Writes a value as JSON.",
		More:    `A table is a list if it has items, else an object; json.array{} is an empty list. NaN and inf raise, as do tables with both items and names.`,
		Example: `print(json.encode({ a = { 1, 2 }, b = json.array {} }))  --> {"a":[1,2],"b":[]}`,
		See:     []string{"json.decode", "json.array", "inspect"},
	},
	{
		Name: "json.decode", Kind: Function,
		Params:  []Param{{Name: "text", Type: String, Text: "the text"}},
		Returns: []Return{{Type: Any}},
		Text:    "Reads JSON.",
		More:    `null is left out of objects and is null everywhere else; a whole number beyond 2^53 becomes an int64, so that its digits are kept. Text that is no JSON raises decode.`,
		Example: `local order = json.decode '{"id":"o1","tags":["new"]}'
print(order.id, order.tags[1])  --> o1  new`,
		See: []string{"json.encode", "null"},
	},
	{
		Name: "json.array", Kind: Function,
		Params:  []Param{{Name: "list", Type: Table, Optional: true, Text: "the list; a new one if left out"}},
		Returns: []Return{{Type: Table, Text: "the same table"}},
		Text:    "Marks a table as a list, so that it is written as [] even if it is empty.",
		Example: `print(json.encode { tags = json.array {} })  --> {"tags":[]}`,
		See:     []string{"json.object", "json.encode"},
	},
	{
		Name: "json.object", Kind: Function,
		Params:  []Param{{Name: "table", Type: Table, Optional: true, Text: "the table; a new one if left out"}},
		Returns: []Return{{Type: Table, Text: "the same table"}},
		Text:    "Marks a table as an object, as an empty table is by itself.",
		Example: `print(json.encode(json.object(json.array {})))  --> {}`,
		See:     []string{"json.array"},
	},
	{
		Name: "json.null", Kind: Value, Type: "null",
		Text:    "JSON's null: the same as null.",
		Example: `print(json.null == null, json.encode { 1, json.null })  --> true  [1,null]`,
		See:     []string{"null"},
	},
}

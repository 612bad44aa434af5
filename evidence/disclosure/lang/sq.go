package lang

var albanian = map[string]string{}

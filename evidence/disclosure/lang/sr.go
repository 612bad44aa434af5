package lang

var serbian = map[string]string{}

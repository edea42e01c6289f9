package api

// PageInput is where a page of a list begins and how long it is.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries on the page"`
	Cursor string `query:"cursor" maxLength:"500" doc:"Where the page begins: next of the page before, or nothing for the first"`
}

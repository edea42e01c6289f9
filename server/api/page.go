package api

// PageInput is where a page of a list begins and how long it is.
type PageInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries on the page"`
	Cursor string `query:"cursor" maxLength:"500" doc:"Where the page begins: next of the page before, or nothing for the first"`
}

// SearchBody is a page of a list that is searched.
type SearchBody struct {
	Query        string `json:"q,omitempty" maxLength:"200" doc:"Beginnings of words of name, email address or external ID; everybody unless given" example:"ada love"`
	Organization string `json:"organization,omitempty" maxLength:"200" doc:"Only of this organization, by ID or slug; all within reach unless given"`
	Limit        int    `json:"limit,omitempty" minimum:"1" maximum:"1000" default:"100" doc:"Entries on the page"`
	Cursor       string `json:"cursor,omitempty" maxLength:"500" doc:"Where the page begins: next of the page before, or nothing for the first"`
}

package console

import (
	"embed"
	"path"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// A folder is a language: every word of every page is there, so that another language
// is another folder.
//
//go:embed words
var wordFiles embed.FS

// fallback is the language of readers whose languages are not there.
var fallback = language.English

// readWords reads all languages.
func readWords() *i18n.Bundle {
	bundle := i18n.NewBundle(fallback)
	languages, err := wordFiles.ReadDir("words")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, l := range languages {
		files, err := wordFiles.ReadDir(path.Join("words", l.Name()))
		if err != nil {
			panic(err)
		}
		for _, f := range files {
			text, err := wordFiles.ReadFile(path.Join("words", l.Name(), f.Name()))
			if err != nil {
				panic(err)
			}
			bundle.MustParseMessageFileBytes(text, strings.TrimSuffix(f.Name(), "json")+l.Name()+".json")
		}
	}
	return bundle
}

// T is a text in the reader's language, filled in with pairs of a name and a value. The
// value of "n" decides between singular and plural.
func (v *visit) T(id string, pairs ...any) string {
	values := map[string]any{}
	config := i18n.LocalizeConfig{MessageID: id, TemplateData: values}
	printer := message.NewPrinter(v.language())
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string) // a constant
		switch value := pairs[i+1].(type) {
		case int:
			values[name] = printer.Sprintf("%d", value)
		default:
			values[name] = value
		}
		if name == "n" {
			config.PluralCount = pairs[i+1]
		}
	}
	text, err := v.speak.Localize(&config)
	if err != nil && text == "" {
		panic("there are no words for " + id) // a test looks for it
	}
	return text
}

// Has reports whether there are words for an ID.
func (v *visit) Has(id string) bool {
	_, err := v.speak.Localize(&i18n.LocalizeConfig{MessageID: id})
	return err == nil
}

// Language is the language of the page.
func (v *visit) Language() string { return v.language().String() }

func (v *visit) language() language.Tag {
	wanted, _, err := language.ParseAcceptLanguage(v.r.Header.Get("Accept-Language"))
	if err != nil {
		return fallback
	}
	tag, _, _ := language.NewMatcher(v.words.LanguageTags()).Match(wanted...)
	base, _ := tag.Base()
	return language.Make(base.String())
}

// Number is a number as the reader writes it.
func (v *visit) Number(n int) string { return message.NewPrinter(v.language()).Sprintf("%d", n) }

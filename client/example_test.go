package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	temporal "go.temporal.io/sdk/client"

	"handover/client"
	"handover/offboarding"
)

// An HR system offboards a member and knows, when the call returns, that the
// person can no longer get in, or which rules said no.
func ExampleClient_StartAndAwait() {
	connection, err := temporal.Dial(temporal.Options{HostPort: "localhost:7233"})
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	cases := client.New(connection)

	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	status, err := cases.StartAndAwait(ctx, offboarding.Request{
		MemberID:    "external:emp-1041",
		RequestedBy: "external:emp-7",
		Disposition: offboarding.DispositionTransfer,
		NewOwnerID:  offboarding.NewOwnerManager,
	})
	var refusal *offboarding.Refusal
	switch {
	case errors.As(err, &refusal):
		for _, v := range refusal.Violations {
			fmt.Println(v.Code, v.Message)
		}
	case err != nil:
		log.Print(err) // safe to show; nothing says that the case was not started
	default:
		fmt.Println(status.Phase, status.Documents.Total)
	}
}

// A colleague takes an unowned document. The update ID makes it safe to send the
// claim again when the answer was lost.
func ExampleClient_Claim() {
	connection, err := temporal.NewLazyClient(temporal.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()

	outcome, err := client.New(connection).Claim(context.Background(),
		offboarding.WorkflowID("7d0ee2ad-3fd1-45a0-8d0c-0f7a9fb0f6c1"),
		offboarding.ClaimRequest{
			DocumentID: "0b0f9a36-8a0d-4a65-9c84-7f8f3d8f7c52",
			MemberID:   "5f0c2d0c-8f2e-4a57-8f3b-3d6c9df0c9ab",
		},
		client.WithUpdateID("claim-form-4711"))
	if offboarding.CodeOf(err) == offboarding.CodeAlreadyOwned {
		fmt.Println("a colleague was faster")
		return
	}
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(outcome.Outcome) // claimed, or requested where an admin decides
}

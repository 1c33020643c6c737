// SPDX-License-Identifier: MIT

// The AWS SDK for Go as its users call it: InvokeModel for each case on standard input,
// {"model", "text"}; an answer for each on standard output, {"vector"} or {"status",
// "code", "message"}.  Endpoint, region and key come from the environment.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type request struct {
	Model string `json:"model"`
	Text  string `json:"text"`
}

type answer struct {
	Vector  []float32 `json:"vector,omitempty"`
	Tokens  int       `json:"tokens"`
	Status  int       `json:"status,omitempty"`
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
}

func refusal(err error) answer {
	a := answer{Message: err.Error()}
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	if errors.As(err, &api) {
		a.Code, a.Message = api.ErrorCode(), api.ErrorMessage()
	}
	if errors.As(err, &response) {
		a.Status = response.HTTPStatusCode()
	}
	return a
}

func invoke(client *bedrockruntime.Client, r request) answer {
	body, err := json.Marshal(map[string]string{"inputText": r.Text})
	if err != nil {
		return answer{Message: err.Error()}
	}
	out, err := client.InvokeModel(context.Background(), &bedrockruntime.InvokeModelInput{
		ModelId: aws.String(r.Model), Body: body, ContentType: aws.String("application/json"),
	})
	if err != nil {
		return refusal(err)
	}
	var titan struct {
		Embedding           []float32 `json:"embedding"`
		InputTextTokenCount int       `json:"inputTextTokenCount"`
	}
	if err := json.Unmarshal(out.Body, &titan); err != nil {
		return answer{Message: err.Error()}
	}
	return answer{Vector: titan.Embedding, Tokens: titan.InputTextTokenCount}
}

func run() error {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		return err
	}
	conf, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return err
	}
	client := bedrockruntime.NewFromConfig(conf)
	answers := []answer{}
	for _, r := range requests {
		answers = append(answers, invoke(client, r))
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

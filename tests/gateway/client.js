// SPDX-License-Identifier: MIT
//
// JavaScript clients as their users call them: an array of cases on standard input,
// {client, model, text}; an answer for each on standard output, {vector} or {status, code,
// message}.  Endpoints, region and keys come from the environment.
'use strict';

const { BedrockRuntimeClient, InvokeModelCommand } = require('@aws-sdk/client-bedrock-runtime');
const { SageMakerRuntimeClient, InvokeEndpointCommand } =
	require('@aws-sdk/client-sagemaker-runtime');
const OpenAI = require('openai').default;

const clients = {
	bedrock: () => {
		const client = new BedrockRuntimeClient({ maxAttempts: 1 });

		return async (model, text) => {
			const answer = await client.send(new InvokeModelCommand({
				modelId: model, contentType: 'application/json',
				body: JSON.stringify({ inputText: text }),
			}));

			return JSON.parse(Buffer.from(answer.body).toString()).embedding;
		};
	},
	sagemaker: () => {
		const client = new SageMakerRuntimeClient({ maxAttempts: 1 });

		return async (model, text) => {
			const answer = await client.send(new InvokeEndpointCommand({
				EndpointName: model, ContentType: 'application/json',
				Body: JSON.stringify({ inputs: text }),
			}));

			return JSON.parse(Buffer.from(answer.Body).toString())[0];
		};
	},
	openai: () => {
		const client = new OpenAI({ maxRetries: 0 });

		return async (model, text) => {
			const answer = await client.embeddings.create({ model, input: text });

			return answer.data[0].embedding;
		};
	},
};

async function ask(call, { model, text }) {
	try {
		return { vector: Array.from(await call(model, text)) };
	} catch (error) {
		return {
			status: error.status ?? error.$metadata?.httpStatusCode,
			code: error.code ?? error.name, message: error.message,
		};
	}
}

async function main() {
	const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
	const made = {}, answers = [];

	for (const one of cases) {
		made[one.client] ??= clients[one.client]();
		answers.push(await ask(made[one.client], one));
	}
	process.stdout.write(JSON.stringify(answers), () => process.exit(0));
}

main();

// What a framework of Lambda handlers makes of the events in FOLDER; what it lets
// applications answer, beside what they answer over HTTP; and an event stream as
// the SDK's codec writes it. One JSON on stdout.
//   node judge.js FOLDER
'use strict'
const fs = require('fs')
const http = require('http')
const path = require('path')
const serverlessExpress = require('@codegenie/serverless-express')
const { EventStreamCodec } = require('@smithy/eventstream-codec')

const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0xff])

// What applications answer; each is asked with an event of each shape.
const applications = {
	text (request, response) {
		response.statusCode = 201
		response.setHeader('Content-Type', 'text/plain; charset=utf-8')
		response.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; HttpOnly'])
		response.setHeader('X-Number', 7)
		response.end('Grüße "und" \\ mehr')
	},
	binary (request, response) {
		response.setHeader('Content-Type', 'image/png')
		response.end(picture)
	},
	nothing (request, response) {
		response.statusCode = 304
		response.setHeader('ETag', '"x"')
		response.end()
	},
}

// What the handler sees of the request.
function look (event) {
	return new Promise((resolve, reject) => {
		const handler = serverlessExpress({
			app (request, response) {
				const chunks = []
				request.on('data', chunk => chunks.push(chunk))
				request.on('end', () => {
					resolve({
						method: request.method,
						url: request.url,
						headers: request.headers,
						client: request.socket.remoteAddress,
						body: Buffer.concat(chunks).toString('base64'),
					})
					response.end()
				})
			},
		})
		handler(event, {}).catch(reject)
	})
}

function ask (event, app) {
	const handler = serverlessExpress({ app, binarySettings: { contentTypes: ['image/*'] } })
	return handler(event, {})
}

// What a client gets of the same application without Lambda in between.
async function http_answer (app) {
	const server = http.createServer(app)
	await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
	const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { redirect: 'manual' })
	const body = Buffer.from(await answer.arrayBuffer())
	server.close()
	server.closeAllConnections()
	const hop = ['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']
	const fields = [...answer.headers].filter(([name]) => !hop.includes(name))
	return { status: answer.status, fields: fields.map(([n, v]) => `${n}: ${v}`), body: body.toString('base64') }
}

function stream () {
	const codec = new EventStreamCodec(b => Buffer.from(b).toString('utf8'), t => Buffer.from(t, 'utf8'))
	const text = value => ({ type: 'string', value })
	const frame = (headers, body) => Buffer.from(codec.encode({ headers, body: Buffer.from(body) }))
	const chunk = { ':message-type': text('event'), ':event-type': text('PayloadChunk'),
		':content-type': text('application/octet-stream') }
	return Buffer.concat([
		frame(chunk, '{"statusCode":200,"headers":{"Content-Type":"text/html"}}'),
		frame(chunk, '\0'.repeat(8) + '<p>'),
		frame({ ':event-type': text('PayloadChunk'), flag: { type: 'boolean', value: true },
			byte: { type: 'byte', value: -1 }, short: { type: 'short', value: 2 },
			integer: { type: 'integer', value: 3 }, time: { type: 'timestamp', value: new Date(0) },
			bytes: { type: 'binary', value: Buffer.from([0, 255]) },
			uuid: { type: 'uuid', value: '00112233-4455-6677-8899-aabbccddeeff' },
			':message-type': text('event') }, 'Grüße'),
		frame({ ':message-type': text('event'), ':event-type': text('InvokeComplete') }, '{"LogResult":""}'),
		frame({ ':message-type': text('exception'), ':exception-type': text('InternalFailure') }, '{}'),
	]).toString('base64')
}

async function main (folder) {
	const seen = {}
	const answers = {}
	for (const name of fs.readdirSync(folder).sort()) {
		const c = JSON.parse(fs.readFileSync(path.join(folder, name)))
		if (c.shape === 'gloo') continue // no handler of AWS's knows it
		// It changes what it is given.
		seen[name] = await look(structuredClone(c.event))
		if (!/^(alb_get|alb_multi_value|v1_documented|v2_documented)\.json$/.test(name)) continue
		for (const [what, app] of Object.entries(applications)) {
			// Without multi-value headers only one of two cookies has room.
			if (name === 'alb_get.json' && what === 'text') continue
			const answer = await ask(structuredClone(c.event), app)
			delete answer.log
			answers[name.replace('.json', ' ' + what)] = { shape: c.shape, answer, http: await http_answer(app) }
		}
	}
	process.stdout.write(JSON.stringify({ seen, answers, stream: stream() }, null, 2) + '\n')
}

main(process.argv[2]).catch(error => {
	console.error(error)
	process.exit(1)
})

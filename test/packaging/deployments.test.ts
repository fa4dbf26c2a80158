/** What is deployed elsewhere than here can still be wrong in ways that are seen from here. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { ROLES } from '../../src/main.ts'

const PACKAGING = fileURLToPath(new URL('../../packaging', import.meta.url))
const read = (name: string): unknown => parse(readFileSync(path.join(PACKAGING, name), 'utf8'))

test('compose: the image is built from this checkout, and only volumes are written', () => {
  const { services } = read('container/compose.yaml') as { services: { sealpost: ComposeService } }
  const { build, volumes, ports } = services.sealpost
  const context = path.join(PACKAGING, 'container', build.context)
  assert.ok(existsSync(path.join(context, 'package-lock.json')))
  assert.ok(existsSync(path.join(context, build.dockerfile)))
  const container = readFileSync(path.join(context, build.dockerfile), 'utf8')
  for (const volume of volumes) assert.ok(container.includes(`VOLUME ${volume.split(':')[1]}`), volume)
  const exposed = /^EXPOSE (.*)$/m.exec(container)?.[1]?.split(' ') ?? []
  assert.deepEqual(
    ports,
    exposed.map((port) => `${port}:${port}`),
  )
})

test('Kubernetes: the configuration is one, its ports are those of the pods, and all roles are there', () => {
  const { items } = read('kubernetes/sealpost.yaml') as { items: readonly KubernetesItem[] }
  const config = items.find(({ kind }) => kind === 'ConfigMap')?.data?.['sealpost.yaml'] ?? ''
  const parsed = parseConfig(config, '/etc/sealpost/sealpost.yaml', {
    SEALPOST_STORE_URL: 'postgres://sealpost@db.example.org/sealpost',
  })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const containers = items.flatMap(({ kind, spec }) =>
    kind === 'Deployment' ? (spec?.template?.spec.containers ?? []) : [],
  )
  const roles = containers.flatMap(({ args }) => args[args.indexOf('--role') + 1]?.split(',') ?? [])
  assert.deepEqual(roles.toSorted(), [...ROLES].toSorted())
  const ports = new Map(
    containers.flatMap((each) => each.ports.map(({ name, containerPort }) => [name, containerPort])),
  )
  const listeners = Object.entries(parsed.value.listeners).filter(([, listener]) => listener !== null)
  assert.deepEqual(
    Object.fromEntries(ports),
    Object.fromEntries(listeners.map(([name, listener]) => [name, listener?.port])),
  )
  const targets = items.flatMap(({ kind, spec }) => (kind === 'Service' ? (spec?.ports ?? []) : []))
  for (const { targetPort } of targets) assert.ok(ports.has(targetPort), targetPort)
})

interface ComposeService {
  readonly build: { readonly context: string; readonly dockerfile: string }
  readonly volumes: readonly string[]
  readonly ports: readonly string[]
}

interface KubernetesItem {
  readonly kind: string
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly Container[] } }
    readonly ports?: readonly { readonly targetPort: string }[]
  }
}

interface Container {
  readonly args: readonly string[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
}
